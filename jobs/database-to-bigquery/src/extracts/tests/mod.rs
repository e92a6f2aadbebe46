mod good;
mod schema;
mod wrong;

use std::path::Path;

use yaml::InvalidFile;

use super::{Extracts, Table};

/// As if it stood in `extracts.yaml` of the current directory.
fn parse(text: &str) -> Result<Extracts, InvalidFile> {
    Extracts::parse(text, Path::new("extracts.yaml"))
}

fn problems(text: &str) -> Vec<String> {
    parse(text).unwrap_err().to_string().lines().map(str::to_owned).collect()
}

/// The table `orders` of a MySQL database with these settings.
fn table(settings: &str) -> Table {
    let text = format!("databases:\n  shop:\n    engine: mysql\n    tables:\n      orders: {settings}\n");
    parse(&text).unwrap().tables().next().unwrap().clone()
}
