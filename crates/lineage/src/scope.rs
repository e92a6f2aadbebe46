//! Which column a name means: the tables of a FROM, those of the queries around it, and the queries named by WITH.

use std::collections::{BTreeMap, BTreeSet};

use crate::query::{Output, RelationColumn};

pub(crate) type From = BTreeSet<RelationColumn>;

/// One item of a FROM.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub(crate) alias: Option<String>,
    /// Where they are known.
    pub(crate) columns: Option<Vec<Output>>,
    /// A table whose columns are not known: each name may be one of them.
    pub(crate) relation: Option<String>,
    /// What the elements of an array are made of.
    pub(crate) row: From,
}

impl Source {
    fn column(&self, name: &str) -> From {
        match (&self.columns, &self.relation) {
            (Some(columns), _) => named(columns, name).cloned().unwrap_or_else(|| self.row.clone()),
            (None, Some(relation)) => From::from([RelationColumn::new(relation, name)]),
            (None, None) => self.row.clone(),
        }
    }

    fn all(&self) -> From {
        self.columns.iter().flatten().flat_map(|output| output.from.iter().cloned()).chain(self.row.clone()).collect()
    }

    /// What `*` means for it.
    pub(crate) fn star(&self) -> Vec<Output> {
        match (&self.columns, &self.relation) {
            (Some(columns), _) => columns.clone(),
            (None, Some(relation)) => {
                vec![Output { name: "*".to_owned(), from: From::from([RelationColumn::new(relation, "*")]) }]
            }
            (None, None) => {
                let name = self.alias.clone().unwrap_or_default();
                vec![Output { name, from: self.row.clone() }]
            }
        }
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// The innermost last.
    levels: Vec<Vec<Source>>,
    named_queries: BTreeMap<String, Vec<Output>>,
}

impl Scope {
    pub(crate) fn with(&self, sources: Vec<Source>) -> Self {
        let mut inner = self.clone();
        inner.levels.push(sources);
        inner
    }

    /// Names of queries are not case-sensitive.
    pub(crate) fn name_query(&mut self, name: &str, outputs: Vec<Output>) {
        self.named_queries.insert(name.to_lowercase(), outputs);
    }

    pub(crate) fn named_query(&self, name: &str) -> Option<&Vec<Output>> {
        self.named_queries.get(&name.to_lowercase())
    }

    /// The columns that `parts` may mean: `total`, `orders.total`, `orders.address.city`. None for what is no column: a
    /// part of a date, an alias of an output.
    pub(crate) fn resolve(&self, parts: &[&str]) -> From {
        let found = self.levels.iter().rev().find_map(|sources| resolve_in(sources, parts));
        found.unwrap_or_default()
    }

    /// Whether a FROM's `a.b` is an array of a table that stands before it.
    pub(crate) fn has_alias(&self, name: &str) -> bool {
        self.levels.iter().flatten().any(|source| is(source.alias.as_deref(), name))
    }
}

fn resolve_in(sources: &[Source], parts: &[&str]) -> Option<From> {
    let (first, rest) = parts.split_first()?;
    let aliased = sources.iter().find(|source| is(source.alias.as_deref(), first));
    if let (Some(source), Some(column)) = (aliased, rest.first()) {
        return Some(source.column(column));
    }
    let known: Vec<&From> =
        sources.iter().filter_map(|source| named(source.columns.as_deref().unwrap_or_default(), first)).collect();
    if !known.is_empty() {
        // More than one: a column that USING joins.
        return Some(known.into_iter().flatten().cloned().collect());
    }
    if let Some(source) = aliased {
        return Some(source.all());
    }
    let unknown = sources.iter().filter(|source| source.columns.is_none() && source.relation.is_some());
    let guessed: From = unknown.flat_map(|source| source.column(first)).collect();
    (!guessed.is_empty()).then_some(guessed)
}

fn named<'a>(columns: &'a [Output], name: &str) -> Option<&'a From> {
    columns.iter().find(|output| output.name.eq_ignore_ascii_case(name)).map(|output| &output.from)
}

fn is(alias: Option<&str>, name: &str) -> bool {
    alias.is_some_and(|alias| alias.eq_ignore_ascii_case(name))
}
