//! What demo and test need beside cargo: databases and a cache from the system, emulators and tools from PyPI.

use anyhow::Result;

use crate::step::{Running, Step};
use crate::{debian, venv};

/// local-bigquery reads the bucket, the dates and other databases with these; they come as wheels and must be made known
/// to DuckDB.
const DUCKDB: &str = "v1.5.5"; // as pinned in requirements/emulators.in
const DUCKDB_EXTENSIONS: [&str; 7] =
    ["icu", "ducklake", "avro", "spatial", "httpfs", "postgres_scanner", "mysql_scanner"];

const MARIADB: Step = Step {
    name: "mariadb",
    about: "MariaDB, which stands for Aurora MySQL",
    run: |_| debian::install("mariadbd", "mariadb-server"),
};
const POSTGRESQL: Step = Step {
    name: "postgresql",
    about: "PostgreSQL, which stands for Aurora PostgreSQL",
    run: |_| debian::install("initdb", "postgresql"),
};
const REDIS: Step = Step {
    name: "redis",
    about: "Redis, the cache of readers",
    run: |_| debian::install("redis-server", "redis-server"),
};
const EMULATORS: Step =
    Step { name: "emulators", about: "BigQuery, moto and the sample data, in target/tools", run: emulators };
/// What the image of jobs/dbt has: one list of packages for both.
const DBT: Step = Step {
    name: "dbt-tools",
    about: "dbt, as its job has it, in target/tools",
    run: |step| venv::install_from(step, "dbt", "jobs/dbt/requirements.txt"),
};
/// What lookup is measured beside.
const NGINX: Step =
    Step { name: "nginx", about: "nginx, a peer of lookup", run: |_| debian::install("nginx", "nginx-light") };
/// What database-to-bigquery is measured beside.
const PEERS: Step =
    Step { name: "peers", about: "dlt and ingestr, in target/tools", run: |step| venv::install(step, "peers") };
const SAM: Step =
    Step { name: "sam", about: "SAM and cargo-lambda, in target/tools", run: |step| venv::install(step, "sam") };
const LINT: Step = Step {
    name: "lint",
    about: "cfn-lint, hadolint and sqlfluff, in target/tools",
    run: |step| venv::install(step, "lint"),
};
const INFRA: Step = Step {
    name: "infra",
    about: "checkov, parliament and an emulator of Workflows, in target/tools",
    run: |step| venv::install(step, "infra"),
};

const SCHEMATHESIS: Step = Step {
    name: "schemathesis",
    about: "Schemathesis, which tries lookup's OpenAPI document, in target/tools",
    run: |step| venv::install(step, "schemathesis"),
};

const GOOGLESQL: Step = Step {
    name: "googlesql-tools",
    about: "GoogleSQL's own analyzer and evaluator, in target/tools",
    run: |step| venv::install(step, "googlesql"),
};

const CHROMIUM: Step = Step {
    name: "chromium",
    about: "Chromium, which looks at the pages that our programs write",
    run: |_| debian::install("chromium", "chromium"),
};
const BROWSER: Step = Step {
    name: "browser-tools",
    about: "Playwright and axe-core, in target/tools",
    run: |step| venv::install(step, "browser"),
};

/// What the demo's database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Engine {
    #[default]
    Mysql,
    Postgres,
}

impl Engine {
    /// As the demo's own setting has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mysql => "mysql",
            Self::Postgres => "postgres",
        }
    }

    /// Only the server that is asked for.
    pub(crate) fn steps_of_demo(self) -> [Step; 4] {
        match self {
            Self::Mysql => [MARIADB, REDIS, EMULATORS, DBT],
            Self::Postgres => [POSTGRESQL, REDIS, EMULATORS, DBT],
        }
    }
}

pub(crate) const STEPS_OF_BENCH: [Step; 7] = [MARIADB, POSTGRESQL, REDIS, EMULATORS, DBT, NGINX, PEERS];
pub(crate) const STEPS: [Step; 12] =
    [MARIADB, POSTGRESQL, REDIS, EMULATORS, DBT, SAM, LINT, INFRA, SCHEMATHESIS, GOOGLESQL, CHROMIUM, BROWSER];

fn emulators(step: &mut Running<'_>) -> Result<String> {
    let note = venv::install(step, "emulators")?;
    if duckdb_knows_its_extensions() {
        return Ok(note);
    }
    let python = step.workspace.tool_program("emulators", "python");
    let names = DUCKDB_EXTENSIONS.map(|name| format!("{name:?}")).join(",");
    let import = format!("from duckdb_extensions import import_extension as i; [i(e) for e in ({names})]");
    step.finish(step.program(python).args(["-c", &import]))?;
    Ok(format!("{note}, DuckDB extensions imported"))
}

/// DuckDB keeps extensions in the home folder, which may be newer than the environment (a cache kept by CI).
fn duckdb_knows_its_extensions() -> bool {
    let Some(home) = std::env::home_dir() else { return false };
    let Ok(platforms) = home.join(".duckdb/extensions").join(DUCKDB).read_dir() else { return false };
    let has_all = |folder: &std::path::Path| {
        DUCKDB_EXTENSIONS.iter().all(|name| folder.join(format!("{name}.duckdb_extension")).is_file())
    };
    platforms.flatten().any(|platform| has_all(&platform.path()))
}
