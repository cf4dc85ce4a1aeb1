//! Registrations that are emulated.

use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};

use annulus_syscalls::Errno;
use annulus_syscalls::io_uring::register::flags::{
    IO_URING_OP_SUPPORTED, IORING_RSRC_REGISTER_SPARSE,
};
use annulus_syscalls::io_uring::register::op::{
    IORING_REGISTER_BUFFERS, IORING_REGISTER_BUFFERS_UPDATE, IORING_REGISTER_BUFFERS2,
    IORING_REGISTER_ENABLE_RINGS, IORING_REGISTER_FILE_ALLOC_RANGE, IORING_REGISTER_FILES,
    IORING_REGISTER_FILES_UPDATE, IORING_REGISTER_FILES_UPDATE2, IORING_REGISTER_FILES2,
    IORING_REGISTER_PBUF_RING, IORING_REGISTER_PBUF_STATUS, IORING_REGISTER_PROBE,
    IORING_REGISTER_RING_FDS, IORING_REGISTER_SEND_MSG_RING, IORING_REGISTER_SYNC_CANCEL,
    IORING_UNREGISTER_BUFFERS, IORING_UNREGISTER_FILES, IORING_UNREGISTER_PBUF_RING,
    IORING_UNREGISTER_RING_FDS,
};
use annulus_syscalls::io_uring::register::{
    io_uring_buf_reg, io_uring_buf_status, io_uring_file_index_range, io_uring_files_update,
    io_uring_probe, io_uring_probe_op, io_uring_rsrc_register, io_uring_rsrc_update2,
    io_uring_sync_cancel_reg,
};
use annulus_syscalls::io_uring::{io_uring_sqe, op};

use super::files::Given;
use super::mailbox::Letter;
use super::shared::Shared;
use crate::kernel::engine::is_known;

impl Shared {
    /// `io_uring_register`(2), as far as it is emulated.
    ///
    /// # Errors
    /// EINVAL for what is not; those of the registration.
    ///
    /// # Safety
    /// As the system call.
    pub(crate) unsafe fn register(
        &self,
        opcode: u32,
        arg: usize,
        count: u32,
    ) -> Result<u32, Errno> {
        match opcode {
            IORING_REGISTER_PROBE => {
                // SAFETY: promised by the caller.
                unsafe { probe(arg, count) };
                Ok(0)
            }
            // An index instead of the descriptor saves nothing here.
            IORING_REGISTER_RING_FDS | IORING_UNREGISTER_RING_FDS => Ok(count),
            IORING_REGISTER_ENABLE_RINGS => self.enable().map(|()| 0),
            IORING_REGISTER_PBUF_RING => {
                // SAFETY: promised by the caller.
                let request = unsafe { read::<io_uring_buf_reg>(arg) };
                // SAFETY: as above: the memory stays until it is unregistered.
                unsafe { self.lock().engine.groups.add_ring(&request) }.map(|()| 0)
            }
            IORING_UNREGISTER_PBUF_RING => {
                // SAFETY: promised by the caller.
                let request = unsafe { read::<io_uring_buf_reg>(arg) };
                self.lock().engine.groups.remove_ring(request.bgid)?;
                Ok(0)
            }
            IORING_REGISTER_PBUF_STATUS => {
                let status = with_exposed_provenance_mut::<io_uring_buf_status>(arg);
                // SAFETY: promised by the caller.
                let request = unsafe { status.read() };
                let group = u16::try_from(request.buf_group).map_err(|_| Errno::EINVAL)?;
                let head = u32::from(self.lock().engine.groups.head(group)?);
                // SAFETY: promised by the caller.
                unsafe { status.write(io_uring_buf_status { head, ..request }) };
                Ok(0)
            }
            IORING_REGISTER_SYNC_CANCEL => {
                // SAFETY: promised by the caller.
                self.sync_cancel(&unsafe { read::<io_uring_sync_cancel_reg>(arg) })?;
                Ok(0)
            }
            IORING_REGISTER_SEND_MSG_RING => {
                // SAFETY: promised by the caller.
                self.send(&unsafe { read::<io_uring_sqe>(arg) })?;
                Ok(0)
            }
            _ => {
                // SAFETY: promised by the caller.
                let done = unsafe { self.register_resources(opcode, arg, count) };
                // Tags of what is let go.
                self.lock().settle();
                done
            }
        }
    }

    /// Files and buffers.
    ///
    /// # Errors
    /// As [`register`](Shared::register).
    ///
    /// # Safety
    /// As the system call.
    unsafe fn register_resources(&self, opcode: u32, arg: usize, count: u32) -> Result<u32, Errno> {
        let os = &mut self.lock().os;
        let untagged = Given {
            items: arg as u64,
            tags: 0,
            count,
        };
        match opcode {
            // SAFETY: promised by the caller, as for all that follows.
            IORING_REGISTER_FILES => unsafe { os.files.register(untagged) }.map(|()| 0),
            // SAFETY: as above.
            IORING_REGISTER_BUFFERS => unsafe { os.spans.register(untagged) }.map(|()| 0),
            IORING_REGISTER_FILES2 | IORING_REGISTER_BUFFERS2 => {
                sized::<io_uring_rsrc_register>(count)?;
                // SAFETY: as above.
                let request = unsafe { read::<io_uring_rsrc_register>(arg) };
                let given = all_of(&request)?;
                if opcode == IORING_REGISTER_FILES2 {
                    // SAFETY: as above.
                    unsafe { os.files.register(given) }?;
                } else {
                    // SAFETY: as above.
                    unsafe { os.spans.register(given) }?;
                }
                Ok(0)
            }
            IORING_REGISTER_FILES_UPDATE => {
                // SAFETY: as above.
                let request = unsafe { read::<io_uring_files_update>(arg) };
                if request.resv != 0 || count == 0 {
                    return Err(Errno::EINVAL);
                }
                let given = Given {
                    items: request.fds,
                    ..untagged
                };
                // SAFETY: as above.
                unsafe { os.files.update(request.offset, given) }
            }
            IORING_REGISTER_FILES_UPDATE2 | IORING_REGISTER_BUFFERS_UPDATE => {
                sized::<io_uring_rsrc_update2>(count)?;
                // SAFETY: as above.
                let request = unsafe { read::<io_uring_rsrc_update2>(arg) };
                if request.resv != 0 || request.resv2 != 0 || request.nr == 0 {
                    return Err(Errno::EINVAL);
                }
                let given = Given {
                    items: request.data,
                    tags: request.tags,
                    count: request.nr,
                };
                if opcode == IORING_REGISTER_FILES_UPDATE2 {
                    // SAFETY: as above.
                    unsafe { os.files.update(request.offset, given) }
                } else {
                    // SAFETY: as above.
                    unsafe { os.spans.update(request.offset, given) }
                }
            }
            IORING_REGISTER_FILE_ALLOC_RANGE if count == 0 => {
                // SAFETY: as above.
                let range = unsafe { read::<io_uring_file_index_range>(arg) };
                os.files.pick_from(&range).map(|()| 0)
            }
            IORING_UNREGISTER_FILES if (arg, count) == (0, 0) => os.files.unregister().map(|()| 0),
            IORING_UNREGISTER_BUFFERS if (arg, count) == (0, 0) => {
                os.spans.unregister().map(|()| 0)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn send(&self, sqe: &io_uring_sqe) -> Result<(), Errno> {
        if sqe.opcode != op::IORING_OP_MSG_RING || sqe.addr != 0 {
            return Err(Errno::EINVAL);
        }
        let target = self.facts().ring(sqe.fd).ok_or(Errno::EBADFD)?;
        target.post(Letter::Message {
            user_data: sqe.off,
            res: sqe.len as i32,
            flags: 0,
        });
        Ok(())
    }
}

/// # Errors
/// EINVAL if a request is not as large as a `T`.
fn sized<T>(count: u32) -> Result<(), Errno> {
    if count as usize != size_of::<T>() {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

/// # Errors
/// EINVAL for what cannot be.
fn all_of(request: &io_uring_rsrc_register) -> Result<Given, Errno> {
    let sparse = request.flags & IORING_RSRC_REGISTER_SPARSE != 0;
    let unknown = request.flags & !IORING_RSRC_REGISTER_SPARSE != 0;
    if request.nr == 0 || request.resv2 != 0 || unknown || (sparse && request.data != 0) {
        return Err(Errno::EINVAL);
    }
    Ok(Given {
        items: request.data,
        tags: request.tags,
        count: request.nr,
    })
}

/// # Safety
/// `arg` is the address of a `T`.
unsafe fn read<T: Copy>(arg: usize) -> T {
    // SAFETY: promised by the caller.
    unsafe { with_exposed_provenance::<T>(arg).read_unaligned() }
}

/// # Safety
/// `arg` is the address of a probe with room for `count` opcodes.
unsafe fn probe(arg: usize, count: u32) {
    let head = with_exposed_provenance_mut::<io_uring_probe>(arg);
    let last = op::IORING_OP_URING_CMD128;
    let known = count.min(u32::from(last) + 1) as u8;
    // SAFETY: promised by the caller.
    unsafe {
        head.write(io_uring_probe {
            last_op: last,
            ops_len: known,
            ..io_uring_probe::default()
        });
    }
    // SAFETY: the entries follow the head.
    let entries = unsafe { head.add(1) }.cast::<io_uring_probe_op>();
    for opcode in 0..known {
        let flags = if is_known(opcode) {
            IO_URING_OP_SUPPORTED
        } else {
            0
        };
        // SAFETY: there is room for as many, says the caller.
        let entry = unsafe { entries.add(usize::from(opcode)) };
        // SAFETY: as above.
        unsafe {
            entry.write(io_uring_probe_op {
                op: opcode,
                flags: flags as u16,
                ..io_uring_probe_op::default()
            });
        }
    }
}
