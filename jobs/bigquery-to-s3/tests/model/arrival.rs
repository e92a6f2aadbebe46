//! What becomes of a request: S3 carries it out, and the answer comes or is lost.

use crate::at::{At, Task};
use crate::protocol::Next;
use crate::task::Step;
use crate::world::{Current, KEYS, NONE, World, execution, row};

impl Step<'_> {
    /// S3 carries out what was sent; the answer may be lost, then it is sent again.
    pub(super) fn arrive(&self, next: Next<'_>) {
        let (what, done) = match self.me().at {
            At::Row => ("a row arrives", self.row_arrives()),
            At::Flip => ("the flip arrives", self.flip_arrives()),
            At::Delete => ("deletes arrive", self.deletes_arrive()),
            _ => return,
        };
        next.push((self.label(what), done));
        if self.world.losses > 0 {
            next.push((
                self.label("its answer is lost"),
                World { losses: self.world.losses - 1, ..self.unanswered(done) },
            ));
        }
    }

    /// S3 has carried it out and the task does not know: what it would have written next is not there.
    pub(super) fn unanswered(&self, mut done: World) -> World {
        if self.me().at == At::Row {
            done.generations[self.me().generation as usize].done[self.key()] = false;
        }
        done.tasks[self.task] = Task { sent: NONE, ..*self.me() };
        done
    }

    pub(super) fn row_arrives(&self) -> World {
        let (key, wanted) = (self.key(), self.wanted());
        let matches = !self.weather.rows_have_etags || self.world.objects[key] == row(1, key);
        self.with(|world, me| {
            if matches {
                world.objects[key] = wanted;
                world.generations[me.generation as usize].done[key] = true;
            }
            (me.sent, me.at) = (NONE, if matches { At::Look } else { At::Failed });
        })
    }

    pub(super) fn flip_arrives(&self) -> World {
        let (by, current) = (u8::try_from(self.task).unwrap_or(NONE), self.world.current);
        let target = if self.me().rolls_back { 0 } else { self.me().generation };
        let matches = current.etag == self.me().base;
        let named = current.generation == target;
        let ours = named && (current.by == by || !self.protocol.winner_is_known_by_name);
        self.with(|world, me| {
            me.sent = NONE;
            if matches {
                let (etag, before) = (current.etag + 1, current.generation);
                world.current = Current { generation: target, etag, by, fence: NONE, before };
                world.named = [target, before];
                let holder = world.generations[world.lease.generation as usize];
                world.beaten |= world.lease.holder != execution(self.task) && holder.started;
                world.published |= if me.rolls_back { 0 } else { 1 << execution(self.task) };
                world.touched = [false; KEYS];
            }
            me.won |= (matches || ours) && !me.rolls_back;
            me.at = match matches || ours {
                true => At::Delete,
                false if named => At::Well,
                false => At::Failed,
            };
        })
    }

    pub(super) fn deletes_arrive(&self) -> World {
        self.with(|world, me| {
            let generation = &mut world.generations[me.generation as usize];
            for (object, vanished) in world.objects.iter_mut().zip(generation.vanished) {
                *object = if vanished { 0 } else { *object };
            }
            generation.swept = true;
            me.sent = NONE;
        })
    }
}
