//! A value of MySQL's binary protocol into a column.

use mysql_async::Value;

use crate::cells::{Cells, Refused};
use crate::civil_time::Civil;

pub fn append(cells: &mut Cells, value: Option<Value>) -> Result<usize, Refused> {
    match value {
        Some(Value::NULL) => Ok(cells.null()),
        Some(Value::Bytes(bytes)) => cells.bytes(&bytes),
        Some(Value::Int(value)) => cells.int(value),
        Some(Value::UInt(value)) => cells.unsigned(value),
        Some(Value::Float(value)) => cells.float(value.into()),
        Some(Value::Double(value)) => cells.float(value),
        Some(Value::Date(year, month, day, hour, minute, second, micros)) => {
            cells.civil(Civil { year, month, day, hour, minute, second, micros })
        }
        Some(Value::Time(..)) => Err(Refused::Unexpected("the database sent a time of day".to_owned())),
        None => Err(Refused::Unexpected("the database sent a row that is too short".to_owned())),
    }
}
