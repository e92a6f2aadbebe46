//! The images of the jobs, for amd64, which is what Cloud Run runs.

use super::environment::Environment;
use super::script::{Act, Command};

const JOBS: [&str; 3] = ["load-export", "bigquery-to-s3", "dbt"];

/// Who builds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Images {
    /// Cloud Build: no docker here, and nothing of an arm machine in the way.
    CloudBuild,
    Docker,
}

/// Under the name `$TAG`, where they are not there yet.
pub(super) fn images(environment: &Environment, by: Images) -> Vec<Act> {
    let Environment { project, google_location, .. } = environment;
    let registry = format!("{google_location}-docker.pkg.dev/{project}/isthmus");
    let is_there = |job: &str| {
        Command::new("gcloud artifacts docker images describe")
            .with(format!("{registry}/{job}:$TAG"))
            .and("--project")
            .with(project)
    };
    if by == Images::CloudBuild {
        let build = Command::new("gcloud builds submit . --config=cloudbuild.yaml")
            .and(&format!("--project={project} --service-account=projects/{project}/serviceAccounts/isthmus-build@{project}.iam.gserviceaccount.com"))
            .and(&format!("--gcs-source-staging-dir=gs://{project}-isthmus-build/source"))
            .with(format!("--substitutions=_REGISTRY={registry},_TAG=$TAG"));
        return vec![Act::Unless { checks: JOBS.map(is_there).into(), run: vec![build] }];
    }
    let host = format!("{google_location}-docker.pkg.dev");
    let mut acts = vec![Act::Run(Command::new(&format!("gcloud auth configure-docker {host} --quiet")))];
    acts.extend(JOBS.map(|job| {
        let image = format!("{registry}/{job}:$TAG");
        let build =
            Command::new(&format!("docker build --platform linux/amd64 -f jobs/{job}/Dockerfile -t")).with(&image);
        Act::Unless { checks: vec![is_there(job)], run: vec![build.with("."), Command::new("docker push").with(image)] }
    }));
    acts
}
