//! The table of files against a model of it: whatever is done in whatever order, each slot reads as
//! the model says, and what is refused is what the model refuses.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::AsRawFd;

use annulus_ring::{Errno, FileSlot, FileTable, Ring, SKIP_SLOT};
use proptest::prelude::{Strategy, any, prop_oneof, proptest};

use super::{file_with, read_slot, ring};

const CAPACITY: u32 = 6;
/// From here on the kernel picks.
const PICKED: u32 = 4;
const FILES: usize = 3;

/// What is done to the table, and to the slots claimed from it.
#[derive(Clone, Debug)]
enum Act {
    /// Files by number; 0 empties, one beyond the last skips.
    Update(u32, Vec<usize>),
    Claim,
    Install(usize, usize),
    Clear(usize),
    GiveBack(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let files = proptest::collection::vec(0..=FILES + 1, 1..4);
    prop_oneof![
        (0..=CAPACITY, files).prop_map(|(first, files)| Act::Update(first, files)),
        any::<()>().prop_map(|()| Act::Claim),
        (0..8_usize, 1..=FILES).prop_map(|(nth, file)| Act::Install(nth, file)),
        (0..8_usize).prop_map(Act::Clear),
        (0..8_usize).prop_map(Act::GiveBack),
    ]
}

/// The real table, and what we believe of it.
struct Both {
    ring: Ring,
    table: FileTable,
    slots: Vec<FileSlot>,
    files: Vec<File>,
    /// Which file is in which slot.
    model: BTreeMap<u32, usize>,
    claimed: Vec<u32>,
}

impl Both {
    fn new() -> Option<Both> {
        let ring = ring();
        let mut table = FileTable::sparse(&ring, CAPACITY).expect("sparse");
        table.set_alloc_range(PICKED..CAPACITY).ok()?;
        Some(Both {
            ring,
            table,
            slots: Vec::new(),
            files: (1..=FILES).map(|n| file_with(&[n as u8])).collect(),
            model: BTreeMap::new(),
            claimed: Vec::new(),
        })
    }

    fn fd(&self, file: usize) -> i32 {
        match file {
            0 => -1,
            n if n > FILES => SKIP_SLOT,
            n => self.files[n - 1].as_raw_fd(),
        }
    }

    fn set(&mut self, slot: u32, file: usize) {
        match file {
            0 => drop(self.model.remove(&slot)),
            n if n > FILES => {}
            n => drop(self.model.insert(slot, n)),
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Update(first, files) => self.update(first, &files),
            Act::Claim => self.claim(),
            Act::Install(nth, file) if nth < self.slots.len() => {
                let fd = self.fd(file);
                assert_eq!(self.slots[nth].install(fd), Ok(()));
                self.set(self.slots[nth].index(), file);
            }
            Act::Clear(nth) if nth < self.slots.len() => {
                assert_eq!(self.slots[nth].clear(), Ok(()));
                self.set(self.slots[nth].index(), 0);
            }
            Act::GiveBack(nth) if nth < self.slots.len() => {
                let slot = self.slots.remove(nth);
                let index = slot.index();
                drop(slot);
                self.claimed.retain(|claimed| *claimed != index);
                self.set(index, 0);
            }
            // There is no such slot at the moment.
            Act::Install(..) | Act::Clear(_) | Act::GiveBack(_) => {}
        }
    }

    fn update(&mut self, first: u32, files: &[usize]) {
        let fds: Vec<i32> = files.iter().map(|file| self.fd(*file)).collect();
        let done = self.table.update(first, &fds);
        let count = files.len() as u32;
        let slots = || (first..).zip(files.iter().copied());
        if first + count > CAPACITY {
            return assert_eq!(done, Err(Errno::EINVAL));
        }
        if slots().any(|(slot, file)| file <= FILES && self.claimed.contains(&slot)) {
            return assert_eq!(done, Err(Errno::EBUSY));
        }
        assert_eq!(done, Ok(count));
        for (slot, file) in slots().collect::<Vec<_>>() {
            self.set(slot, file);
        }
    }

    fn claim(&mut self) {
        let free = |slot: &u32| !self.model.contains_key(slot) && !self.claimed.contains(slot);
        let expected = (0..PICKED).find(free);
        let slot = self.table.claim();
        assert_eq!(slot.as_ref().ok().map(FileSlot::index), expected);
        if let Ok(slot) = slot {
            self.claimed.push(slot.index());
            self.slots.push(slot);
        }
    }

    fn check(&mut self) {
        for slot in 0..CAPACITY {
            let read = read_slot(&mut self.ring, slot);
            let expected = self.model.get(&slot).map(|file| vec![*file as u8]);
            assert_eq!(read, expected.ok_or(Errno::EBADF), "slot {slot}");
        }
    }
}

proptest! {
    #[test]
    fn a_table_is_what_its_model_is(acts in proptest::collection::vec(act(), 1..30)) {
        let Some(mut both) = Both::new() else {
            eprintln!("skipped: this kernel has no range for its picks");
            return Ok(());
        };
        for act in acts {
            both.act(act);
        }
        both.check();
        // The last of table and slots unregisters.
        let Both { ring, table, slots, .. } = both;
        drop((table, slots));
        assert!(FileTable::sparse(&ring, 1).is_ok());
    }
}
