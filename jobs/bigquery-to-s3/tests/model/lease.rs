//! How the lease is taken, joined and renewed.

use crate::at::At;
use crate::protocol::{ATTEMPT, LEASE, Next};
use crate::task::Step;
use crate::world::{Lease, NONE, World};

impl Step<'_> {
    pub(super) fn start(&self, next: Next<'_>) {
        let (lease, me, time) = (&self.world.lease, self.me(), self.world.time);
        if lease.holder == self.execution() {
            if lease.published {
                next.push((self.label("finds it published"), self.to(At::Well)));
            } else {
                self.begin("joins", self.hold(lease.generation, lease.taken_over, lease.superseded), next);
            }
            return;
        }
        let free = lease.holder == 0;
        if free || (!self.protocol.others_are_watched && self.now() > lease.expires) {
            self.take(next);
        } else if self.protocol.others_are_watched {
            match me.watching {
                _ if me.saw_life => next.push((self.label("finds it held"), self.to(At::Failed))),
                NONE => next.push((self.label("watches"), self.with(|_, me| me.watching = time))),
                since if time >= since + LEASE => self.take(next),
                _ => {}
            }
        }
    }

    /// Nobody reads it where others are watched.
    pub(super) fn end_of_wall(&self, now: u8) -> u8 {
        if self.protocol.others_are_watched { 0 } else { now + LEASE }
    }

    /// By its own wall clock.
    pub(super) fn now(&self) -> u8 {
        self.world.time + if self.execution() == 2 { self.weather.skew } else { 0 }
    }

    pub(super) fn take(&self, next: Next<'_>) {
        let (world, me) = (self.world, self.execution());
        let taken_over = world.lease.holder != 0;
        let superseded = world.lease.superseded | if taken_over { 1 << world.lease.holder } else { 0 };
        let newest = world.lease.generation + 1;
        if usize::from(newest) >= world.generations.len() {
            return;
        }
        let begun = (0..newest).rev().find(|own| {
            let generation = &world.generations[*own as usize];
            generation.started && generation.rows == me + 1
        });
        let generation = match begun {
            _ if self.me().rolls_back || !self.protocol.superseded_are_known => newest,
            None if world.lease.superseded & 1 << me == 0 => newest,
            Some(own) if own + 1 == newest && self.goes_on(own) => own,
            _ => {
                let published = world.published & 1 << me != 0;
                let at = if published { At::Well } else { At::Failed };
                next.push((self.label("is superseded"), self.to(at)));
                return;
            }
        };
        self.begin("takes the lease", self.hold(generation, taken_over, superseded), next);
    }

    pub(super) fn goes_on(&self, own: u8) -> bool {
        let current = &self.world.current;
        current.generation == own || self.world.generations[own as usize].base == current.etag
    }

    /// The lease's document is ours, and a new one: whoever watches sees that.
    pub(super) fn hold(&self, generation: u8, taken_over: bool, superseded: u8) -> World {
        let (holder, now) = (self.execution(), self.now());
        self.with(|world, me| {
            world.lease =
                Lease { holder, generation, taken_over, superseded, published: false, expires: self.end_of_wall(now) };
            write_lease(world);
            me.until = world.time + LEASE;
            (me.generation, me.watching, me.at) = (generation, NONE, At::Row);
        })
    }

    pub(super) fn renewal(&self, next: Next<'_>) {
        let (me, time) = (self.me(), self.world.time);
        if !me.is_at_work() {
            return;
        }
        // Where the gate is a deadline from before the renewal was sent, one that is long under way only ends it earlier.
        let (asked, deadline) = match me.renewing {
            NONE if me.until == time + LEASE => return,
            NONE if self.protocol.gate_is_a_deadline => (time, true),
            NONE => {
                next.push((self.label("sends a renewal"), self.with(|world, me| me.renewing = world.time)));
                return;
            }
            asked => (asked, false),
        };
        let renewed = if self.is_lost() {
            self.with(|_, me| (me.renewing, me.until) = (NONE, 0))
        } else {
            self.with(|world, me| {
                world.lease.expires = self.end_of_wall(asked);
                write_lease(world);
                me.renewing = NONE;
                me.until = asked + LEASE;
                if !deadline {
                    me.until = me.until.max(world.time + ATTEMPT + 1);
                }
            })
        };
        next.push((self.label("renews"), renewed));
    }
}

pub(super) fn write_lease(world: &mut World) {
    for task in &mut world.tasks {
        task.saw_life |= task.watching != NONE;
    }
}
