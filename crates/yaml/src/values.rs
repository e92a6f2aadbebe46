//! What a single value may be.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::{Node, either, not};

pub fn whole<T>(range: RangeInclusive<T>) -> impl Fn(&Node) -> Result<T, String>
where
    T: PartialOrd + Display + TryFrom<i128>,
{
    move |node| {
        let number = if let Node::Whole(number) = node { T::try_from(*number).ok() } else { None };
        number
            .filter(|number| range.contains(number))
            .ok_or_else(|| not(&format!("a whole number from {} to {}", range.start(), range.end()), node))
    }
}

pub fn fraction(node: &Node) -> Result<f64, String> {
    let number = match node {
        Node::Fraction(number) => Some(*number),
        Node::Whole(0) => Some(0.0),
        Node::Whole(1) => Some(1.0),
        _ => None,
    };
    number.filter(|number| (0.0..=1.0).contains(number)).ok_or_else(|| not("a number from 0 to 1", node))
}

pub fn word<T: Copy>(words: &[(&str, T)]) -> impl Fn(&Node) -> Result<T, String> {
    move |node| {
        let found = words.iter().find(|(word, _)| node.text() == Some(word)).map(|(_, value)| *value);
        found.ok_or_else(|| not(&either(&words.iter().map(|(word, _)| *word).collect::<Vec<_>>()), node))
    }
}

pub fn text(node: &Node, expected: &str, rule: impl FnOnce(&str) -> bool) -> Result<String, String> {
    match node {
        Node::Text(text) if rule(text) => Ok(text.clone()),
        Node::Bool(_) | Node::Whole(_) | Node::Fraction(_) => {
            Err(format!("{}: put text that looks like a number or a truth in quotes", not(expected, node)))
        }
        _ => Err(not(expected, node)),
    }
}
