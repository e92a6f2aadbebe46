//! Walks through a query from the inside out: its tables first, then what names their columns.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, Ident, JoinConstraint, JoinOperator, ObjectName, Query as Ast, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableAlias, TableFactor, TableFunctionArgs, TableWithJoins, Visit,
    Visitor, WildcardAdditionalOptions,
};

use crate::query::{Output, RelationColumn};
use crate::scope::{From, Scope, Source};

pub(crate) struct Reader<'a> {
    pub(crate) known: &'a dyn Fn(&str) -> Option<Vec<String>>,
    pub(crate) needs: BTreeSet<RelationColumn>,
    pub(crate) decides: BTreeSet<RelationColumn>,
    pub(crate) reads: BTreeSet<String>,
}

impl Reader<'_> {
    pub(crate) fn query(&mut self, query: &Ast, outer: &Scope) -> Vec<Output> {
        let mut scope = outer.clone();
        for named in query.with.iter().flat_map(|with| &with.cte_tables) {
            let outputs = self.query(&named.query, &scope);
            scope.name_query(&named.alias.name.value, renamed(outputs, &named.alias));
        }
        let (outputs, sources) = self.body(&query.body, &scope);
        // An order may name outputs, which need nothing new, and columns of the tables.
        self.walk(&query.order_by, &scope.with(sources));
        outputs
    }

    fn body(&mut self, body: &SetExpr, scope: &Scope) -> (Vec<Output>, Vec<Source>) {
        match body {
            SetExpr::Select(select) => self.select(select, scope),
            SetExpr::Query(query) => (self.query(query, scope), Vec::new()),
            SetExpr::SetOperation { left, right, .. } => {
                let (mut outputs, _) = self.body(left, scope);
                let (others, _) = self.body(right, scope);
                // By position: the names are those of the first query.
                for (output, other) in outputs.iter_mut().zip(others) {
                    output.from.extend(other.from);
                }
                (outputs, Vec::new())
            }
            _ => (Vec::new(), Vec::new()),
        }
    }

    fn select(&mut self, select: &Select, scope: &Scope) -> (Vec<Output>, Vec<Source>) {
        let mut sources = Vec::new();
        for table in &select.from {
            self.tables(table, scope, &mut sources);
        }
        let inner = scope.with(sources.clone());
        let mut outputs = Vec::new();
        for item in &select.projection {
            self.output(item, &inner, &sources, &mut outputs);
        }
        self.decide(&select.selection, &inner);
        self.decide(&select.group_by, &inner);
        self.decide(&select.having, &inner);
        self.decide(&select.qualify, &inner);
        self.walk(&select.named_window, &inner);
        (outputs, sources)
    }

    fn output(&mut self, item: &SelectItem, scope: &Scope, sources: &[Source], outputs: &mut Vec<Output>) {
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let from = self.walk(expr, scope);
                outputs.push(Output { name: name_of(expr), from });
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                let from = self.walk(expr, scope);
                outputs.push(Output { name: alias.value.to_lowercase(), from });
            }
            SelectItem::Wildcard(options) => {
                let all = sources.iter().flat_map(Source::star).collect();
                self.star(all, options, scope, outputs);
            }
            SelectItem::QualifiedWildcard(kind, options) => {
                let alias = match kind {
                    SelectItemQualifiedWildcardKind::ObjectName(name) => last(name),
                    SelectItemQualifiedWildcardKind::Expr(expr) => name_of(expr),
                };
                let is = |source: &&Source| source.alias.as_ref().is_some_and(|of| of.eq_ignore_ascii_case(&alias));
                let all = sources.iter().filter(is).flat_map(Source::star).collect();
                self.star(all, options, scope, outputs);
            }
            SelectItem::ExprWithAliases { expr, .. } => {
                self.walk(expr, scope);
            }
        }
    }

    /// `* EXCEPT (…) REPLACE (…)`.
    fn star(
        &mut self,
        all: Vec<Output>,
        options: &WildcardAdditionalOptions,
        scope: &Scope,
        outputs: &mut Vec<Output>,
    ) {
        let except: BTreeSet<String> = options
            .opt_except
            .iter()
            .flat_map(|except| {
                std::iter::once(&except.first_element)
                    .chain(&except.additional_elements)
                    .map(|name| name.value.to_lowercase())
            })
            .collect();
        let begin = outputs.len();
        for output in all {
            let twice = outputs[begin..].iter().any(|other| other.name == output.name); // joined by USING
            if !twice && !except.contains(&output.name) {
                outputs.push(output);
            }
        }
        for replaced in options.opt_replace.iter().flat_map(|replace| &replace.items) {
            let (name, from) = (replaced.column_name.value.to_lowercase(), self.walk(&replaced.expr, scope));
            match outputs[begin..].iter_mut().find(|output| output.name == name) {
                Some(output) => output.from = from,
                None => outputs.push(Output { name, from }),
            }
        }
        let passed_on = outputs[begin..].iter().flat_map(|output| &output.from);
        self.needs.extend(passed_on.filter(|column| column.name != "*").cloned());
    }

    fn tables(&mut self, table: &TableWithJoins, scope: &Scope, sources: &mut Vec<Source>) {
        self.factor(&table.relation, scope, sources);
        for join in &table.joins {
            self.factor(&join.relation, scope, sources);
            let inner = scope.with(sources.clone());
            match constraint(&join.join_operator) {
                Some(JoinConstraint::On(condition)) => self.decide(condition, &inner),
                Some(JoinConstraint::Using(columns)) => {
                    for column in columns {
                        let columns = inner.resolve(&[&last(column)]);
                        self.needs.extend(columns.clone());
                        self.decides.extend(columns);
                    }
                }
                _ => {}
            }
        }
    }

    fn factor(&mut self, factor: &TableFactor, scope: &Scope, sources: &mut Vec<Source>) {
        let source = match factor {
            TableFactor::Table { name, alias, args: Some(arguments), .. } => {
                self.function(name, arguments, alias.as_ref(), &scope.with(sources.clone()))
            }
            TableFactor::Table { name, alias, .. } => self.table(name, alias.as_ref(), &scope.with(sources.clone())),
            TableFactor::Derived { subquery, alias, .. } => {
                let outputs = self.query(subquery, &scope.with(sources.clone()));
                Source { alias: alias.as_ref().map(name), columns: Some(outputs), ..Source::default() }
            }
            TableFactor::UNNEST { alias, array_exprs, with_offset_alias, .. } => {
                let row = self.walk(array_exprs, &scope.with(sources.clone()));
                if let Some(offset) = with_offset_alias {
                    sources.push(Source { alias: Some(offset.value.clone()), ..Source::default() });
                }
                Source { alias: alias.as_ref().map(name), row, ..Source::default() }
            }
            TableFactor::NestedJoin { table_with_joins, .. } => return self.tables(table_with_joins, scope, sources),
            other => self.reshaped(other, scope),
        };
        sources.push(source);
    }

    /// A table, a query that WITH names, or an array of a table before it.
    fn table(&mut self, object: &ObjectName, alias: Option<&TableAlias>, scope: &Scope) -> Source {
        let parts = parts(object);
        let own = parts.last().cloned().unwrap_or_default();
        let alias = Some(alias.map_or_else(|| own.clone(), name));
        if let [single] = &parts[..]
            && let Some(outputs) = scope.named_query(single)
        {
            return Source { alias, columns: Some(outputs.clone()), ..Source::default() };
        }
        if parts.len() > 1 && scope.has_alias(&parts[0]) {
            let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            let row = scope.resolve(&parts);
            self.needs.extend(row.clone());
            return Source { alias, row, ..Source::default() };
        }
        // A project in front is the environment's own: layers have the same names in all of them.
        let relation = parts[parts.len().saturating_sub(2)..].join(".");
        self.reads.insert(relation.clone());
        let columns = (self.known)(&relation).map(|columns| {
            let output = |column: String| Output {
                from: From::from([RelationColumn::new(&relation, &column)]),
                name: column.to_lowercase(),
            };
            columns.into_iter().map(output).collect()
        });
        Source { alias, columns, relation: Some(relation), ..Source::default() }
    }

    fn function(
        &mut self,
        object: &ObjectName,
        arguments: &TableFunctionArgs,
        alias: Option<&TableAlias>,
        scope: &Scope,
    ) -> Source {
        let row = self.walk(&arguments.args, scope);
        let alias = alias.map(name);
        if !last(object).eq_ignore_ascii_case("external_query") {
            return Source { alias, row, ..Source::default() };
        }
        let connection = arguments.args.first().map(ToString::to_string).unwrap_or_default();
        let id = connection.trim_matches(['\'', '"']).rsplit('.').next().unwrap_or_default().to_owned();
        let relation = format!("connection {id}");
        self.reads.insert(relation.clone());
        Source { alias, relation: Some(relation), ..Source::default() }
    }

    /// PIVOT, UNPIVOT and what is rarer: any column of it may be made of any that it reads.
    fn reshaped(&mut self, factor: &TableFactor, scope: &Scope) -> Source {
        let (inside, alias) = match factor {
            TableFactor::Pivot { table, alias, .. } | TableFactor::Unpivot { table, alias, .. } => (Some(table), alias),
            _ => (None, &None),
        };
        let mut sources = Vec::new();
        if let Some(table) = inside {
            self.factor(table, scope, &mut sources);
        }
        let row: From = sources.iter().flat_map(Source::star).flat_map(|output| output.from).collect();
        self.needs.extend(row.iter().filter(|column| column.name != "*").cloned());
        Source { alias: alias.as_ref().map(name), row, ..Source::default() }
    }

    fn decide(&mut self, condition: &impl Visit, scope: &Scope) {
        let found = self.walk(condition, scope);
        self.decides.extend(found);
    }

    /// The columns that anything below `node` names.
    fn walk(&mut self, node: &impl Visit, scope: &Scope) -> From {
        let mut walk = Walk { reader: self, scope, found: From::new(), depth: 0 };
        let ControlFlow::Continue(()) = node.visit(&mut walk);
        let found = walk.found;
        self.needs.extend(found.iter().filter(|column| column.name != "*").cloned());
        found
    }
}

struct Walk<'w, 'r> {
    reader: &'w mut Reader<'r>,
    scope: &'w Scope,
    found: From,
    /// Queries inside have been read with a scope of their own.
    depth: usize,
}

impl Visitor for Walk<'_, '_> {
    type Break = std::convert::Infallible;

    fn pre_visit_query(&mut self, query: &Ast) -> ControlFlow<Self::Break> {
        if self.depth == 0 {
            let outputs = self.reader.query(query, self.scope);
            self.found.extend(outputs.into_iter().flat_map(|output| output.from));
        }
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Ast) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        if self.depth == 0 {
            match expr {
                Expr::Identifier(name) => self.found.extend(self.scope.resolve(&[&name.value])),
                Expr::CompoundIdentifier(names) => {
                    let parts: Vec<&str> = names.iter().map(|name| name.value.as_str()).collect();
                    self.found.extend(self.scope.resolve(&parts));
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }
}

fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(on)
        | JoinOperator::Inner(on)
        | JoinOperator::Left(on)
        | JoinOperator::LeftOuter(on)
        | JoinOperator::Right(on)
        | JoinOperator::RightOuter(on)
        | JoinOperator::FullOuter(on)
        | JoinOperator::CrossJoin(on) => Some(on),
        _ => None,
    }
}

/// `` `project.dataset.table` `` is one word in backticks, or three.
fn parts(object: &ObjectName) -> Vec<String> {
    let words = object.0.iter().filter_map(|part| part.as_ident());
    words.flat_map(|word| word.value.split('.')).map(str::to_owned).collect()
}

fn last(object: &ObjectName) -> String {
    parts(object).pop().unwrap_or_default().to_lowercase()
}

fn name(alias: &TableAlias) -> String {
    alias.name.value.clone()
}

fn renamed(mut outputs: Vec<Output>, alias: &TableAlias) -> Vec<Output> {
    for (output, column) in outputs.iter_mut().zip(&alias.columns) {
        output.name = column.name.value.to_lowercase();
    }
    outputs
}

/// The name that BigQuery gives to an output without an alias.
fn name_of(expr: &Expr) -> String {
    let word = |name: &Ident| name.value.to_lowercase();
    match expr {
        Expr::Identifier(name) => word(name),
        Expr::CompoundIdentifier(names) => names.last().map(word).unwrap_or_default(),
        _ => String::new(),
    }
}
