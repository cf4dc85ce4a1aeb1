//! The ledger against a model that keeps every byte.

use annulus_ring::{BufLedger, BufSpan, Errno};
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::TestCaseError;

const COUNT: u16 = 4;
const SIZE: u32 = 8;

#[derive(Clone, Debug)]
enum Step {
    /// Push the buffer with this index among those that are out, if there is one.
    Push(usize),
    /// Push a buffer that the kernel has.
    PushAgain(u16),
    /// A completion of one buffer with so many bytes.
    Take(u32),
    /// A completion that asked for more than it delivered.
    TakeClaimed(u32, u32),
    /// A bundle of so many bytes.
    Bundle(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<usize>().prop_map(Step::Push),
        (0..COUNT).prop_map(Step::PushAgain),
        (0..=SIZE).prop_map(Step::Take),
        (0..=SIZE, 0..=SIZE + 2).prop_map(|(bytes, asked)| Step::TakeClaimed(bytes, asked)),
        (1..=SIZE * 5).prop_map(Step::Bundle),
    ]
}

/// The kernel, as a queue of buffers with every byte that is left in each.
struct Model {
    queue: Vec<(u16, Vec<u32>)>,
    is_incremental: bool,
    min_left: usize,
}

impl Model {
    /// Takes up to `bytes` from the first buffer: id, the places taken, and whether it stays.
    fn take_one(&mut self, bytes: u32, claimed: u32) -> Option<(u16, Vec<u32>, bool)> {
        let (id, left) = self.queue.first_mut()?;
        let id = *id;
        let claimed = (bytes.max(claimed) as usize).min(left.len());
        let mut places: Vec<u32> = left.drain(..claimed).collect();
        places.truncate(bytes as usize);
        let is_kept = self.is_incremental && left.len() >= self.min_left.max(1);
        if !is_kept {
            self.queue.remove(0);
        }
        Some((id, places, is_kept))
    }
}

fn check(is_incremental: bool, min_left: usize, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut ledger = BufLedger::new(COUNT);
    let mut model = Model {
        queue: Vec::new(),
        is_incremental,
        min_left,
    };
    let mut out: Vec<u16> = (0..COUNT).collect();
    for step in steps {
        match step {
            Step::Push(choice) if !out.is_empty() => {
                let id = out.remove(choice % out.len());
                prop_assert!(ledger.push(id, SIZE));
                model.queue.push((id, (0..SIZE).collect()));
            }
            Step::Push(_) => {}
            Step::PushAgain(id) => {
                if !out.contains(&id) {
                    prop_assert!(!ledger.push(id, SIZE), "the kernel has it");
                }
            }
            Step::Take(bytes) => take(&mut ledger, &mut model, &mut out, bytes, bytes)?,
            Step::TakeClaimed(bytes, claimed) => {
                take(&mut ledger, &mut model, &mut out, bytes, claimed)?;
            }
            Step::Bundle(bytes) => bundle(&mut ledger, &mut model, &mut out, bytes)?,
        }
        prop_assert_eq!(usize::from(ledger.pushed()), model.queue.len());
        for (id, left) in &model.queue {
            prop_assert!(ledger.is_pushed(*id));
            prop_assert_eq!(ledger.left(*id) as usize, left.len());
        }
        for id in &out {
            prop_assert!(!ledger.is_pushed(*id));
            prop_assert_eq!(ledger.left(*id), 0);
            prop_assert_eq!(ledger.take(*id, 0, false), Err(Errno::EPROTO));
        }
    }
    Ok(())
}

fn take(
    ledger: &mut BufLedger,
    model: &mut Model,
    out: &mut Vec<u16>,
    bytes: u32,
    claimed: u32,
) -> Result<(), TestCaseError> {
    let left = model.queue.first().map_or(0, |(_, left)| left.len() as u32);
    let bytes = bytes.min(left);
    let Some((id, places, kept)) = model.take_one(bytes, claimed) else {
        return Ok(());
    };
    let span = ledger.take_claimed(id, bytes, claimed, kept);
    let span = span.expect("the model has it");
    prop_assert_eq!((span.id, span.kept), (id, kept));
    prop_assert!(places.into_iter().eq(span.offset..span.offset + span.len));
    if !kept {
        out.push(id);
    }
    Ok(())
}

fn bundle(
    ledger: &mut BufLedger,
    model: &mut Model,
    out: &mut Vec<u16>,
    bytes: u32,
) -> Result<(), TestCaseError> {
    let all: usize = model.queue.iter().map(|(_, left)| left.len()).sum();
    let bytes = bytes.min(all as u32);
    let Some(first) = model.queue.first().map(|(id, _)| *id) else {
        return Ok(());
    };
    let (mut want, mut rest, mut kept) = (Vec::new(), bytes, false);
    while rest != 0 {
        let left = model.queue[0].1.len() as u32;
        let (id, places, is_kept) = model.take_one(rest.min(left), 0).expect("bytes are left");
        rest -= places.len() as u32;
        kept = is_kept;
        if !is_kept {
            out.push(id);
        }
        want.extend(places.into_iter().map(|place| (id, place)));
    }
    let mut spans: Vec<BufSpan> = Vec::new();
    let done = ledger.take_bundle(first, bytes, kept, |_| u32::MAX, |span| spans.push(span));
    prop_assert_eq!(done, Ok(()));
    let got = spans
        .iter()
        .flat_map(|span| (span.offset..span.offset + span.len).map(|place| (span.id, place)));
    prop_assert!(got.eq(want));
    let all_but_last = spans.len().saturating_sub(1);
    prop_assert!(spans[..all_but_last].iter().all(|span| !span.kept));
    Ok(())
}

proptest! {
    #[test]
    fn a_plain_ring_is_accounted_as_the_model_does(
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        check(false, 0, steps)?;
    }

    #[test]
    fn an_incremental_ring_is_accounted_as_the_model_does(
        min_left in 0..SIZE as usize,
        steps in proptest::collection::vec(step(), 0..200),
    ) {
        check(true, min_left, steps)?;
    }

    #[test]
    fn completions_of_plain_buffers_may_come_in_any_order(
        order in proptest::strategy::Just((0..COUNT).collect::<Vec<u16>>()).prop_shuffle(),
    ) {
        let mut ledger = BufLedger::new(COUNT);
        for id in 0..COUNT {
            ledger.push(id, SIZE);
        }
        for id in order {
            let want = BufSpan { id, offset: 0, len: 3, kept: false };
            prop_assert_eq!(ledger.take(id, 3, false), Ok(want));
            // Given back at once, it stands behind all others.
            prop_assert!(ledger.push(id, SIZE));
        }
    }
}

#[test]
fn bundles_told_out_of_order_find_their_buffers() {
    let mut ledger = BufLedger::new(4);
    for id in [3, 1, 0, 2] {
        assert!(ledger.push(id, 8));
    }
    let spans = |ledger: &mut BufLedger, first, bytes| {
        let mut ids = Vec::new();
        ledger
            .take_bundle(
                first,
                bytes,
                false,
                |_| u32::MAX,
                |span| ids.push((span.id, span.len)),
            )
            .map(|()| ids)
    };
    // The kernel took 3 and 1, then 0 and 2; the second is told first, and both go back at once.
    assert_eq!(spans(&mut ledger, 0, 10), Ok(vec![(0, 8), (2, 2)]));
    assert!(ledger.push(2, 8) && ledger.push(0, 8));
    assert_eq!(spans(&mut ledger, 3, 16), Ok(vec![(3, 8), (1, 8)]));
    assert_eq!(spans(&mut ledger, 2, 16), Ok(vec![(2, 8), (0, 8)]));
    assert_eq!(spans(&mut ledger, 2, 1), Err(Errno::EPROTO), "it is out");
}

#[test]
fn an_entry_that_the_kernel_shortened_counts_as_short() {
    let mut ledger = BufLedger::new(2);
    assert!(ledger.push(0, 8) && ledger.push(1, 8));
    let mut spans = Vec::new();
    let limit = |id| if id == 0 { 3 } else { u32::MAX };
    ledger
        .take_bundle(0, 10, false, limit, |span| spans.push((span.id, span.len)))
        .expect("both are there");
    assert_eq!(spans, [(0, 3), (1, 7)]);
}
