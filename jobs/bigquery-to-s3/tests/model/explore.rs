//! Every state that can be reached, breadth first, so that what is found is the shortest way to it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Quick, and good enough for states that are a few dozen small numbers.
#[derive(Default)]
pub struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.chunks(8) {
            let word = word.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.0 = (self.0.rotate_left(5) ^ u64::from(byte)).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

pub struct Explored<L> {
    pub states: usize,
    /// What does not hold somewhere, and the shortest way there.
    pub violation: Option<(String, Vec<L>)>,
}

/// `check` says what does not hold; the first such state ends it.
pub fn explore<S: Clone + Eq + Hash, L: Clone>(
    initial: S,
    steps: impl Fn(&S, &mut Vec<(L, S)>),
    check: impl Fn(&S) -> Option<String>,
) -> Explored<L> {
    let mut known: HashMap<S, u32, BuildHasherDefault<Mixer>> = HashMap::default();
    let mut came: Vec<Option<(u32, L)>> = vec![None];
    known.insert(initial.clone(), 0);
    let (mut ring, mut next) = (vec![(0_u32, initial)], Vec::new());
    while !ring.is_empty() {
        let mut outer = Vec::new();
        for (index, state) in ring {
            if let Some(broken) = check(&state) {
                return Explored { states: known.len(), violation: Some((broken, way(&came, index))) };
            }
            steps(&state, &mut next);
            for (label, state) in next.drain(..) {
                let fresh = u32::try_from(known.len()).unwrap_or(u32::MAX);
                if *known.entry(state.clone()).or_insert(fresh) == fresh {
                    came.push(Some((index, label)));
                    outer.push((fresh, state));
                }
            }
        }
        ring = outer;
    }
    Explored { states: known.len(), violation: None }
}

fn way<L: Clone>(came: &[Option<(u32, L)>], mut index: u32) -> Vec<L> {
    let mut way = Vec::new();
    while let Some((before, label)) = &came[index as usize] {
        way.push(label.clone());
        index = *before;
    }
    way.reverse();
    way
}
