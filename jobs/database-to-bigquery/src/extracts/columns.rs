//! The settings of single columns, and what does not go together.

use yaml::Fields;

use super::{ColumnRules, Mode, rules};

pub fn rules(fields: &mut Fields<'_>, mode: Option<&Mode>) -> Option<ColumnRules> {
    let exclude = fields.list("exclude", rules::column);
    let include = fields.list("include", rules::column);
    let mask = fields.choices("mask", |_, node| rules::mask(node));
    let types = fields.choices("types", |_, node| rules::retype(node));
    let columns = ColumnRules {
        exclude: exclude?,
        include: include?,
        mask: mask?.into_iter().collect(),
        types: types?.into_iter().collect(),
    };
    let mut fits = true;
    for (setting, problem) in conflicts(&columns, mode) {
        fields.wrong_in::<()>(setting, &problem);
        fits = false;
    }
    fits.then_some(columns)
}

/// The setting that is too much, and why.
fn conflicts(columns: &ColumnRules, mode: Option<&Mode>) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for column in &columns.exclude {
        let others = [
            ("include", columns.include.contains(column)),
            ("mask", columns.mask.contains_key(column)),
            ("types", columns.types.contains_key(column)),
        ];
        let both = others.into_iter().filter(|(_, there)| *there);
        found.extend(both.map(|(setting, _)| (setting, format!("{column} is excluded"))));
    }
    for column in columns.types.keys().filter(|column| columns.mask.contains_key(*column)) {
        found.push(("types", format!("{column} is masked, which decides its type")));
    }
    if let Some(Mode::Incremental { cursor, .. }) = mode {
        if columns.exclude.contains(cursor) {
            found.push(("exclude", format!("{cursor} is the cursor")));
        }
        if columns.mask.contains_key(cursor) {
            found.push(("mask", format!("{cursor} is the cursor")));
        }
    }
    found
}
