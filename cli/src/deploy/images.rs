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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_images_are_made_of_is_not_left_out() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let ignored = std::fs::read_to_string(root.join(".dockerignore")).unwrap();
        let cargo = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let members = cargo.split("members = [").nth(1).unwrap().split(']').next().unwrap();
        // Every member: cargo wants all their manifests. dbt's image is made of warehouse/.
        let needed = members.split('"').skip(1).step_by(2).chain(["warehouse", "jobs/dbt", "Cargo.lock", ".cargo"]);
        for path in needed {
            let top = path.split('/').next().unwrap();
            assert!(!ignored.lines().any(|line| line.trim_matches('/') == top || line == path), "{path} is left out");
        }
        assert!(ignored.lines().any(|line| line == "target"), "gigabytes would be sent");
    }

    #[test]
    fn cloud_build_makes_the_image_of_each_job_and_no_other() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let build = std::fs::read_to_string(root.join("cloudbuild.yaml")).unwrap();
        for job in JOBS {
            let line = format!("--file=jobs/{job}/Dockerfile, \"--tag=${{_REGISTRY}}/{job}:${{_TAG}}\"");
            assert!(build.contains(&line) && root.join(format!("jobs/{job}/Dockerfile")).is_file(), "{job}");
            assert!(build.contains(&format!("  - \"${{_REGISTRY}}/{job}:${{_TAG}}\"")), "{job} is not pushed");
        }
        assert_eq!(build.matches("--file=").count(), JOBS.len());
        let deployed = std::fs::read_to_string(root.join("terraform/gcp/jobs.tf")).unwrap();
        assert!(deployed.contains("${local.registry}/${each.key}:${var.image_tag}"));
    }
}
