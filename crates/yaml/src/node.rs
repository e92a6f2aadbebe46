//! The YAML file as a tree that knows where each part stands. Serde's structs would stop at the first error; a tree can
//! be walked to the end.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Location, Spanned};

use crate::problem::Problem;

#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    Nothing,
    Bool(bool),
    Whole(i128),
    Fraction(f64),
    Text(String),
    List(Vec<Spanned<Node>>),
    /// In the file's order, a repeated name as often as it is there.
    Mapping(Vec<(Spanned<Node>, Spanned<Node>)>),
}

/// A syntax error ends the reading: what follows it could mean anything.
pub fn parse(text: &str) -> Result<Spanned<Node>, Problem> {
    let options = serde_saphyr::options! {
        // Repeated names are told by whoever walks the tree, with the place of each.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        // YAML 1.2: `no` and `on` are words.
        strict_booleans: true,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let text = error.without_snippet().to_string();
        // The parser repeats the place behind its sentence.
        let text = text.lines().next().unwrap_or_default().split(" at line ").next().unwrap_or_default().to_owned();
        match error.location() {
            Some(at) => Problem::at(at, text),
            None => Problem::of_the_file(text),
        }
    })
}

/// Where the text of a node stands, be it used there or through an alias.
pub fn place(node: &Spanned<Node>) -> Location {
    node.defined
}

impl Node {
    /// The first value of that name.
    pub fn get(&self, name: &str) -> Option<&Spanned<Node>> {
        let Self::Mapping(entries) = self else { return None };
        entries.iter().find(|(key, _)| key.value.text() == Some(name)).map(|(_, value)| value)
    }

    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

/// What was found, for an error that goes on with what is expected.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Whole(value) => write!(f, "{value}"),
            Self::Fraction(value) => write!(f, "{value:?}"),
            Self::Text(text) if text.chars().count() <= 80 => write!(f, "{text:?}"),
            Self::Text(text) => write!(f, "{:?}…", text.chars().take(60).collect::<String>()),
            Self::List(_) => f.write_str("a list"),
            Self::Mapping(_) => f.write_str("a mapping"),
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Whole(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Whole(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Fraction(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = mapping.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Mapping(entries))
    }
}
