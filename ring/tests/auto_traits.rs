//! What may move between threads, and what may be shared.

use annulus_ring::{
    BufGroup, BufLedger, BufMemory, BufRing, BufferPool, BufferTable, Cqe, FileSlot, FileTable,
    FixedBuf, Kernel, LentBuf, MemRegion, Personality, Ring, RingRef, Selected, SendGroup,
    SetupError, SignalSet, Sqe, Wait, WaitRegion,
};

fn is_send<T: Send>() {}
fn is_sync<T: Sync>() {}

/// Resolves only if `T` is not `Sync`: else both impls apply, and the call is ambiguous.
trait NotSync<Which> {
    fn check() {}
}
impl<T: ?Sized> NotSync<()> for T {}
impl<T: ?Sized + Sync> NotSync<u8> for T {}

#[test]
fn a_ring_moves_between_threads_and_is_not_shared() {
    is_send::<Ring>();
    <Ring as NotSync<_>>::check();
    is_send::<(BufRing, BufGroup, SendGroup)>();
}

#[test]
fn what_other_threads_hold_is_shared() {
    is_send::<(
        RingRef,
        BufMemory,
        BufLedger,
        Selected,
        Kernel,
        SetupError,
        Sqe,
        Cqe,
    )>();
    is_sync::<(
        RingRef,
        BufMemory,
        BufLedger,
        Selected,
        Kernel,
        SetupError,
        Sqe,
        Cqe,
    )>();
}

#[test]
fn what_is_registered_is_shared_and_moves() {
    is_send::<(FileTable, FileSlot, BufferTable, Personality)>();
    is_sync::<(FileTable, FileSlot, BufferTable, Personality)>();
    is_send::<(BufferPool, FixedBuf, LentBuf)>();
    is_sync::<(BufferPool, FixedBuf, LentBuf)>();
}

#[test]
fn regions_move_between_threads_and_waits_are_plain_values() {
    is_send::<(MemRegion, WaitRegion)>();
    <WaitRegion as NotSync<_>>::check();
    is_send::<(Wait, SignalSet)>();
    is_sync::<(Wait, SignalSet)>();
}
