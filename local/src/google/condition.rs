//! As much of CEL as an attribute mapping and an attribute condition of ours need: strings, lists, `==`, `!=`, `in`,
//! `&&`, `||`, parentheses, attributes, and Google's `extract`.
//! <https://cloud.google.com/iam/docs/workload-identity-federation#mapping>

use std::collections::BTreeMap;

/// `assertion.arn`, `attribute.aws_role`, … and what they are.
pub(super) type Attributes = BTreeMap<String, String>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    List(Vec<Value>),
    Bool(bool),
}

pub(super) fn evaluate(expression: &str, attributes: &Attributes) -> Result<Value, String> {
    let mut reader = Reader { tokens: tokens(expression)?, at: 0, attributes };
    let value = reader.any()?;
    match reader.peek() {
        "" => Ok(value),
        rest => Err(format!("{rest:?} is not expected")),
    }
}

/// What stands for `{name}` in the text; empty where the text does not fit.
/// <https://cloud.google.com/iam/docs/conditions-attribute-reference#extract>
fn extract(text: &str, template: &str) -> Result<String, String> {
    let parts = template.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?.1)));
    let (before, after) = parts.ok_or_else(|| format!("{template:?} has no {{name}}"))?;
    let Some((_, rest)) = text.split_once(before) else { return Ok(String::new()) };
    if after.is_empty() {
        return Ok(rest.to_owned());
    }
    Ok(rest.split_once(after).map_or_else(String::new, |(found, _)| found.to_owned()))
}

/// A string keeps its opening quote, so that it is told from a name.
fn tokens(expression: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut rest = expression.trim_start();
    while let Some(first) = rest.chars().next() {
        let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let length = match first {
            '\'' | '"' => rest[1..].find(first).ok_or("a string does not end")? + 1,
            _ if name(first) => rest.find(|c| !name(c)).unwrap_or(rest.len()),
            _ if ["==", "!=", "&&", "||"].iter().any(|two| rest.starts_with(two)) => 2,
            '[' | ']' | '(' | ')' | ',' => 1,
            other => return Err(format!("{other:?} is not known here")),
        };
        tokens.push(rest[..length].to_owned());
        let quote = usize::from(first == '\'' || first == '"');
        rest = rest[length + quote..].trim_start();
    }
    Ok(tokens)
}

struct Reader<'a> {
    tokens: Vec<String>,
    at: usize,
    attributes: &'a Attributes,
}

impl Reader<'_> {
    fn peek(&self) -> &str {
        self.tokens.get(self.at).map_or("", String::as_str)
    }

    fn next(&mut self) -> String {
        self.at += 1;
        self.tokens.get(self.at - 1).cloned().unwrap_or_default()
    }

    fn takes(&mut self, token: &str) -> bool {
        let found = self.peek() == token;
        self.at += usize::from(found);
        found
    }

    fn must_take(&mut self, token: &str) -> Result<(), String> {
        if self.takes(token) { Ok(()) } else { Err(format!("{token:?} is expected, not {:?}", self.peek())) }
    }

    fn any(&mut self) -> Result<Value, String> {
        let mut value = self.all()?;
        while self.takes("||") {
            let (left, right) = (truth(&value)?, truth(&self.all()?)?);
            value = Value::Bool(left || right);
        }
        Ok(value)
    }

    fn all(&mut self) -> Result<Value, String> {
        let mut value = self.compared()?;
        while self.takes("&&") {
            let (left, right) = (truth(&value)?, truth(&self.compared()?)?);
            value = Value::Bool(left && right);
        }
        Ok(value)
    }

    fn compared(&mut self) -> Result<Value, String> {
        let left = self.one()?;
        if self.takes("==") {
            return Ok(Value::Bool(left == self.one()?));
        }
        if self.takes("!=") {
            return Ok(Value::Bool(left != self.one()?));
        }
        if self.takes("in") {
            let Value::List(list) = self.one()? else { return Err("`in` needs a list".into()) };
            return Ok(Value::Bool(list.contains(&left)));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Value, String> {
        let token = self.next();
        if let Some(text) = token.strip_prefix(['\'', '"']) {
            return Ok(Value::Text(text.to_owned()));
        }
        match token.as_str() {
            "(" => {
                let value = self.any()?;
                self.must_take(")").map(|()| value)
            }
            "[" => {
                let mut list = Vec::new();
                while !self.takes("]") {
                    list.push(self.one()?);
                    if self.peek() != "]" {
                        self.must_take(",")?;
                    }
                }
                Ok(Value::List(list))
            }
            name => self.attribute(name),
        }
    }

    fn attribute(&mut self, name: &str) -> Result<Value, String> {
        let (name, extracts) = name.strip_suffix(".extract").map_or((name, false), |name| (name, true));
        let text = self.attributes.get(name).cloned().ok_or_else(|| format!("there is no attribute {name:?}"))?;
        if !extracts {
            return Ok(Value::Text(text));
        }
        self.must_take("(")?;
        let Value::Text(template) = self.one()? else { return Err("extract needs a string".into()) };
        self.must_take(")")?;
        extract(&text, &template).map(Value::Text)
    }
}

fn truth(value: &Value) -> Result<bool, String> {
    if let Value::Bool(value) = value { Ok(*value) } else { Err(format!("{value:?} is neither true nor false")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluated(expression: &str) -> Result<Value, String> {
        let attributes = [
            ("assertion.arn", "arn:aws:sts::123456789012:assumed-role/isthmus-prod-publish-export/prod-publish-export"),
            ("assertion.account", "123456789012"),
            ("attribute.aws_role", "isthmus-prod-publish-export"),
        ];
        evaluate(expression, &attributes.map(|(name, text)| (name.to_owned(), text.to_owned())).into())
    }

    #[test]
    fn extract_takes_what_stands_between() {
        let text = |text: &str| Ok(Value::Text(text.into()));
        for (template, found) in [
            ("assumed-role/{role}/", "isthmus-prod-publish-export"),
            ("assumed-role/{role_and_session}", "isthmus-prod-publish-export/prod-publish-export"),
            ("user/{name}", ""),
            ("publish-export/{x}/", ""),
        ] {
            assert_eq!(evaluated(&format!("assertion.arn.extract('{template}')")), text(found), "{template}");
        }
    }

    #[test]
    fn a_condition_is_as_true_as_its_parts() {
        for (condition, expected) in [
            ("assertion.account == '123456789012'", true),
            ("assertion.account == '123456789012' && attribute.aws_role in ['a', 'isthmus-prod-publish-export']", true),
            ("assertion.account == '123456789012' && attribute.aws_role in ['a', \"b\"]", false),
            ("assertion.account != '1' && attribute.aws_role in []", false),
            ("attribute.aws_role == 'a' || (assertion.account == '123456789012' && 'a' in ['a'])", true),
        ] {
            assert_eq!(evaluated(condition), Ok(Value::Bool(expected)), "{condition}");
        }
    }

    #[test]
    fn what_google_would_refuse_to_store_is_an_error() {
        for condition in ["attribute.missing == 'a'", "'a", "'a' == ", "'a' && 'b'", "'a' 'b'", "1 + 1"] {
            assert!(evaluated(condition).is_err(), "{condition}");
        }
    }
}
