//! People who are present: guests, who come and go and do not come back, and regulars, who see to it that they are there.

use crate::{
    connection::Next,
    listener::Listening,
    random::Random,
    world::{Link, World, count},
};
use serde_json::{Value, json};
use std::{
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

/// The model that their records are of.
pub(crate) const MODEL: &str = "User";

fn presence(id: &str, write: u64) -> String {
    json!({"id": format!("present {write}"), "event": "User:upsert", "data": {"id": id, "write": write}}).to_string()
}

/// Guests, one after the other, until evening. Nobody of them says goodbye.
pub(crate) fn guests(world: &World, number: usize, seed: u64) {
    let mut random = Random::seeded(seed);
    let mut guest = 0;
    while !world.is_evening.load(Ordering::Relaxed) {
        guest += 1;
        let name = format!("guest{number}.{guest}");
        let Some(mut link) = world.connect(random.index(world.fleet.len()), &name) else {
            thread::sleep(Duration::from_millis(random.below(100)));
            continue;
        };
        count(&world.tally.guests);
        link.send(&presence(&name, 1));
        // Some are gone before they are told that they have come.
        let leaves_at = Instant::now() + Duration::from_millis(random.below(800));
        while Instant::now() < leaves_at && !matches!(link.next(), Next::Lost) {}
    }
}

/// Somebody who listens to who is there, and comes again whenever that is not the one itself.
pub(crate) struct Regular<'a> {
    world: &'a World,
    name: String,
    node: usize,
    random: Random,
    here: Listening,
    writes: u64,
    /// When the last word was said that has no answer yet, or may be said again.
    waits: Option<Instant>,
}

impl<'a> Regular<'a> {
    pub(crate) fn new(world: &'a World, number: usize, seed: u64) -> Self {
        let (node, random) = (number % world.fleet.len(), Random::seeded(seed));
        let here = Listening::to(MODEL);
        Self { world, name: format!("regular{number}"), node, random, here, writes: 0, waits: None }
    }

    /// Stay until all is over.
    pub(crate) fn stay(mut self) {
        let mut link = None;
        while !self.world.is_over.load(Ordering::Relaxed) {
            link = match link {
                Some(link) => self.look(link),
                None => self.come(),
            };
        }
    }

    fn come(&mut self) -> Option<Link<'a>> {
        let Some(mut link) = self.world.connect(self.node, &self.name) else {
            thread::sleep(Duration::from_millis(self.random.below(100)));
            self.node = self.random.index(self.world.fleet.len());
            return None;
        };
        self.waits = None;
        self.here.ask(&mut link, "look");
        Some(link)
    }

    fn look(&mut self, mut link: Link<'a>) -> Option<Link<'a>> {
        self.here.ask_again(&mut link, "look");
        let may = self.waits.is_none_or(|until| until <= Instant::now());
        if may && self.here.is_live() && !self.here.has(&self.name) {
            // Under a new id: the old one would be answered as it was.
            self.writes += 1;
            link.send(&presence(&self.name, self.writes));
            self.waits = Some(Instant::now() + Duration::from_secs(5));
        }
        match link.next() {
            Next::Message(message) => self.take(&message),
            Next::Nothing => {}
            Next::Lost => return None,
        }
        Some(link)
    }

    fn take(&mut self, message: &Value) {
        match (message["id"].as_str(), message["event"].as_str()) {
            (Some("look"), _) => self.here.answered(self.world, message),
            (Some(_), _) => {
                // The push came before it; where it did not, there is no hurry.
                self.waits = Some(Instant::now() + Duration::from_millis(100));
                match message.get("error") {
                    Some(error) if error["retry"] == true => count(&self.world.tally.put_off),
                    Some(error) => self.world.wrong(format!("{} was told {error}", self.name)),
                    None => {}
                }
            }
            (None, Some("User:upsert")) => self.here.pushed(self.world, "upsert", message),
            (None, Some("User:delete")) => self.here.pushed(self.world, "delete", message),
            (None, Some("User:reset")) => self.here.pushed(self.world, "reset", message),
            (None, _) => self.world.wrong(format!("not a message: {message}")),
        }
    }
}
