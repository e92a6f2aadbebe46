//! What is believed of one key before a run.

/// What is known of a key; nothing at first.
#[derive(Debug, Default)]
pub struct Stood {
    pub value: Option<Vec<u8>>,
    pub md5: Option<[u8; 16]>,
    pub published: bool,
    pub touched: bool,
}

impl Stood {
    /// A run that never published wrote this value (`finished`), or may have.
    pub fn overlay(&mut self, value: Vec<u8>, md5: Option<[u8; 16]>, finished: bool) {
        if self.value.as_ref() != Some(&value) {
            self.touched = true;
            self.value = finished.then_some(value);
            self.md5 = md5;
        }
    }

    /// Neither what was published nor what a run may have left counts: its object is to be written, or to go.
    pub fn doubt(&mut self) {
        (self.value, self.touched) = (None, true);
    }

    /// Its object stands, and no list has it.
    pub fn of_nobody() -> Self {
        Self { touched: true, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_touched_by_a_run_that_had_another_value_and_stays_so() {
        let (old, new) = (b"old".to_vec(), b"new".to_vec());
        let published = || Stood { value: Some(old.clone()), md5: None, published: true, touched: false };
        for (runs, value, touched) in [
            (vec![(&old, true)], Some(&old), false),
            (vec![(&old, false)], Some(&old), false),
            (vec![(&new, true)], Some(&new), true),
            (vec![(&new, false)], None, true),
            (vec![(&new, true), (&old, true)], Some(&old), true),
            (vec![(&new, false), (&new, true)], Some(&new), true),
        ] {
            let mut stood = published();
            for (value, finished) in runs {
                stood.overlay(value.clone(), None, finished);
            }
            assert_eq!((stood.value.as_ref(), stood.touched), (value, touched));
        }
    }
}
