//! One query of BigQuery: which tables it reads, which of their columns it needs, and what each of its own is made of.

use std::collections::BTreeSet;

use sqlparser::ast::Statement;
use sqlparser::dialect::BigQueryDialect;
use sqlparser::parser::Parser;

use crate::reader::Reader;
use crate::scope::Scope;

/// A column of a table in BigQuery. BigQuery's names of columns are not case-sensitive: they are in lower case here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelationColumn {
    /// `dataset.table`, or `connection ID` for what a federated query reads.
    pub relation: String,
    pub name: String,
}

impl RelationColumn {
    pub fn new(relation: &str, name: &str) -> Self {
        Self { relation: relation.to_owned(), name: name.to_lowercase() }
    }
}

/// A column of the query's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// `*` where all columns of a table that is not known are passed on.
    pub name: String,
    pub from: BTreeSet<RelationColumn>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pub outputs: Vec<Output>,
    /// Every column without which the query fails: those of the outputs, and those of conditions, joins and orders.
    pub needs: BTreeSet<RelationColumn>,
    /// Of those the ones in conditions, joins and groups: they decide which rows there are.
    pub decides: BTreeSet<RelationColumn>,
    pub reads: BTreeSet<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum NotUnderstood {
    #[error("not understood as BigQuery's SQL: {0}")]
    Syntax(String),
    #[error("not one query, but {0} statements")]
    Statements(usize),
    #[error("not a query")]
    NoQuery,
}

/// `known` tells the columns of a table, where they are known.
pub fn analyze(sql: &str, known: &dyn Fn(&str) -> Option<Vec<String>>) -> Result<Query, NotUnderstood> {
    let statements = Parser::parse_sql(&BigQueryDialect, sql);
    let statements = statements.map_err(|error| NotUnderstood::Syntax(error.to_string()))?;
    let [Statement::Query(query)] = &statements[..] else {
        return Err(if statements.len() == 1 {
            NotUnderstood::NoQuery
        } else {
            NotUnderstood::Statements(statements.len())
        });
    };
    let mut reader = Reader { known, needs: BTreeSet::new(), decides: BTreeSet::new(), reads: BTreeSet::new() };
    let outputs = reader.query(query, &Scope::default());
    Ok(Query { outputs, needs: reader.needs, decides: reader.decides, reads: reader.reads })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a.b.c` is column c of a.b.
    fn column(path: &str) -> RelationColumn {
        let (relation, name) = path.rsplit_once('.').unwrap();
        RelationColumn::new(relation, name)
    }

    fn read(sql: &str) -> Query {
        let known = |relation: &str| {
            let columns: &[&str] = match relation {
                "shop.orders" => &["id", "customer_id", "total", "status", "items", "ordered_at"],
                "shop.customers" => &["id", "name", "plan"],
                _ => return None,
            };
            Some(columns.iter().map(ToString::to_string).collect())
        };
        analyze(sql, &known).unwrap_or_else(|error| panic!("{error}: {sql}"))
    }

    /// `name<a.b.c+d.e.f` for each output.
    fn outputs(sql: &str) -> Vec<String> {
        let from = |output: &Output| {
            output
                .from
                .iter()
                .map(|column| format!("{}.{}", column.relation, column.name))
                .collect::<Vec<_>>()
                .join("+")
        };
        read(sql).outputs.iter().map(|output| format!("{}<{}", output.name, from(output))).collect()
    }

    fn only_needs(sql: &str) -> Vec<String> {
        let query = read(sql);
        let made: BTreeSet<_> = query.outputs.iter().flat_map(|output| &output.from).collect();
        let needs = query.needs.iter().filter(|column| !made.contains(column));
        needs.map(|column| format!("{}.{}", column.relation, column.name)).collect()
    }

    #[test]
    fn an_output_is_made_of_the_columns_in_its_expression() {
        let sql = "SELECT o.id, CONCAT(c.name, ' ', status) AS Title, COUNT(*) AS n FROM shop.orders AS o \
                   JOIN shop.customers AS c ON o.customer_id = c.id WHERE total > 0 GROUP BY o.id";
        assert_eq!(outputs(sql), ["id<shop.orders.id", "title<shop.customers.name+shop.orders.status", "n<"]);
        assert_eq!(only_needs(sql), ["shop.customers.id", "shop.orders.customer_id", "shop.orders.total"]);
        let decides = ["shop.customers.id", "shop.orders.customer_id", "shop.orders.id", "shop.orders.total"];
        assert_eq!(read(sql).decides, BTreeSet::from(decides.map(column)));
        assert_eq!(read(sql).reads, BTreeSet::from(["shop.orders".to_owned(), "shop.customers".to_owned()]));
    }

    #[test]
    fn named_queries_and_subqueries_are_looked_through() {
        let sql = "WITH paid AS (SELECT customer_id, SUM(total) AS spent FROM shop.orders WHERE status = 'paid' GROUP BY 1), \
                   ranked AS (SELECT *, ROW_NUMBER() OVER (ORDER BY spent DESC) AS rank FROM paid) \
                   SELECT name, x.spent FROM shop.customers JOIN (SELECT * FROM ranked) AS x ON customers.id = x.customer_id";
        assert_eq!(outputs(sql), ["name<shop.customers.name", "spent<shop.orders.total"]);
        assert!(only_needs(sql).contains(&"shop.orders.status".to_owned()));
    }

    #[test]
    fn a_star_is_every_column_but_those_that_are_left_out_or_replaced() {
        let sql = "SELECT * EXCEPT (items, status) REPLACE (total / 100 AS total) FROM `acme-prod.shop.orders`";
        let all = ["id", "customer_id", "total", "ordered_at"].map(|name| format!("{name}<shop.orders.{name}"));
        assert_eq!(outputs(sql), all);
        assert_eq!(only_needs(sql), [String::new(); 0]);
        assert_eq!(outputs("SELECT c.* FROM shop.orders AS o, shop.customers AS c")[0], "id<shop.customers.id");
    }

    #[test]
    fn a_column_that_using_joins_comes_of_both_tables() {
        let sql = "SELECT id, name FROM shop.orders JOIN shop.customers USING (id)";
        assert_eq!(outputs(sql)[0], "id<shop.customers.id+shop.orders.id");
    }

    #[test]
    fn a_union_is_made_of_both_sides_by_position() {
        let sql = "SELECT id, status AS what FROM shop.orders UNION ALL SELECT id, name FROM shop.customers";
        assert_eq!(
            outputs(sql),
            ["id<shop.customers.id+shop.orders.id", "what<shop.customers.name+shop.orders.status",]
        );
    }

    #[test]
    fn a_subquery_in_an_expression_sees_the_tables_around_it() {
        let sql = "SELECT name, (SELECT MAX(o.total) FROM shop.orders AS o WHERE o.customer_id = c.id) AS best \
                   FROM shop.customers AS c WHERE EXISTS (SELECT 1 FROM shop.orders WHERE status = c.plan)";
        assert_eq!(outputs(sql)[1], "best<shop.orders.total");
        let needs = ["customers.id", "customers.plan", "orders.customer_id", "orders.status"];
        assert_eq!(only_needs(sql), needs.map(|column| format!("shop.{column}")));
    }

    #[test]
    fn the_elements_of_an_array_come_of_its_column_and_so_do_their_fields() {
        for from in ["UNNEST(o.items) AS item WITH OFFSET AS place", "o.items AS item"] {
            let sql = format!("SELECT item.price, o.id FROM shop.orders AS o, {from}");
            assert_eq!(outputs(&sql), ["price<shop.orders.items", "id<shop.orders.id"], "{from}");
        }
        let sql = "SELECT ARRAY_AGG(STRUCT(o.id AS id, o.total AS total) ORDER BY o.ordered_at DESC LIMIT 3) AS last FROM shop.orders AS o";
        assert_eq!(outputs(sql), ["last<shop.orders.id+shop.orders.ordered_at+shop.orders.total"]);
    }

    #[test]
    fn a_table_whose_columns_are_not_known_gives_the_names_that_are_asked_of_it() {
        assert_eq!(outputs("SELECT a, t.b AS c FROM raw.things AS t"), ["a<raw.things.a", "c<raw.things.b"]);
        assert_eq!(outputs("SELECT * FROM raw.things"), ["*<raw.things.*"]);
    }

    #[test]
    fn a_federated_query_reads_its_connection() {
        let sql = "SELECT id FROM EXTERNAL_QUERY('acme.asia-northeast1.pharmacy', '''SELECT id FROM x''')";
        assert_eq!(read(sql).reads, BTreeSet::from(["connection pharmacy".to_owned()]));
        assert_eq!(outputs(sql), ["id<connection pharmacy.id"]);
    }

    #[test]
    fn what_bigquery_has_of_its_own_is_understood() {
        for sql in [
            "SELECT id FROM shop.orders QUALIFY ROW_NUMBER() OVER (PARTITION BY customer_id ORDER BY total DESC) = 1",
            "SELECT SAFE.PARSE_JSON(items) AS items, SAFE_CAST(status AS DATE) AS day FROM shop.orders",
            "SELECT TIMESTAMP(DATETIME(ordered_at), 'Asia/Tokyo') AS at FROM shop.orders",
            "SELECT COUNTIF(total IS DISTINCT FROM 0) AS n, DATE '2026-11-22' AS day FROM shop.orders",
            "SELECT DATE_TRUNC(DATE(ordered_at), MONTH) AS month FROM shop.orders GROUP BY ALL",
            "SELECT * FROM shop.orders FOR SYSTEM_TIME AS OF TIMESTAMP_SUB(CURRENT_TIMESTAMP(), INTERVAL 1 HOUR)",
            "SELECT DISTINCT day FROM shop.orders CROSS JOIN UNNEST([DATE(ordered_at)]) AS day",
            "SELECT total.amount, items[0], items[SAFE_OFFSET(1)].price FROM shop.orders",
            "SELECT APPROX_QUANTILES(total, 100)[OFFSET(90)] AS p90 FROM shop.orders TABLESAMPLE SYSTEM (10 PERCENT)",
        ] {
            assert!(read(sql).reads.contains("shop.orders"), "{sql}");
        }
    }

    #[test]
    fn what_is_no_query_is_refused() {
        let known = |_: &str| None;
        let refused = |sql| analyze(sql, &known).unwrap_err().to_string();
        assert_eq!(refused("DELETE FROM a.b WHERE true"), "not a query");
        assert_eq!(refused("SELECT 1; SELECT 2"), "not one query, but 2 statements");
        assert!(refused("SELECT FROM WHERE").starts_with("not understood as BigQuery's SQL: "));
    }
}
