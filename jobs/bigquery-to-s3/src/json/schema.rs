//! Which columns can be written at all. Asked before the first row, so that a wrong query costs nothing.

use std::collections::HashSet;

use arrow_schema::{DataType, Field, Fields, IntervalUnit, TimeUnit};

use super::Unsupported;

/// Names the first column that JSON has no form for.
pub fn supported(columns: &Fields) -> Result<(), Unsupported> {
    each_named_once("", columns)
}

/// A JSON object with the same name twice means something else to every reader, and one without a name nothing.
fn each_named_once(path: &str, fields: &Fields) -> Result<(), Unsupported> {
    let mut names = HashSet::new();
    for field in fields {
        let column = if path.is_empty() { field.name().clone() } else { format!("{path}.{}", field.name()) };
        if field.name().is_empty() {
            return Err(unsupported(column, "it has no name"));
        }
        if !names.insert(field.name()) {
            return Err(unsupported(column, "another column has the same name"));
        }
        typed(column, field)?;
    }
    Ok(())
}

/// The types of "Arrow schema details" in the documentation of the Storage Read API, and no others.
fn typed(column: String, field: &Field) -> Result<(), Unsupported> {
    match field.data_type() {
        DataType::Boolean
        | DataType::Int64
        | DataType::Float64
        | DataType::Utf8
        | DataType::Binary
        | DataType::Date32
        | DataType::Time64(TimeUnit::Microsecond)
        | DataType::Timestamp(TimeUnit::Microsecond, _)
        | DataType::Interval(IntervalUnit::MonthDayNano) => Ok(()),
        DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) if *scale >= 0 => Ok(()),
        DataType::List(item) => typed(column, item),
        DataType::Struct(fields) => each_named_once(&column, fields),
        other => Err(unsupported(column, &format!("its Arrow type is {other}"))),
    }
}

fn unsupported(column: String, reason: &str) -> Unsupported {
    Unsupported { column, reason: reason.to_owned() }
}
