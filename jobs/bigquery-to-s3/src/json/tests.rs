use super::*;

#[test]
fn an_integer_is_a_number_unless_the_sync_asks_for_text() {
    let options = |text: &str| serde_json::from_str::<JsonOptions>(text).map_err(|error| error.to_string());
    assert_eq!(options("{}"), Ok(JsonOptions { int64: Int64::Number }));
    assert_eq!(options(r#"{"int64": "number"}"#), Ok(JsonOptions { int64: Int64::Number }));
    assert_eq!(options(r#"{"int64": "string"}"#), Ok(JsonOptions { int64: Int64::String }));
    assert!(options(r#"{"int64": "text"}"#).unwrap_err().starts_with("unknown variant `text`"));
    assert!(options(r#"{"int_64": "string"}"#).unwrap_err().starts_with("unknown field `int_64`"));
}

#[test]
fn a_key_is_escaped_as_any_string_is() {
    assert_eq!(key("a", true), br#"{"a":"#);
    assert_eq!(key("say \"hi\"", false), br#","say \"hi\"":"#);
    assert_eq!(key("氏名", false), r#","氏名":"#.as_bytes());
}
