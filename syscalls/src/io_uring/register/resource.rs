//! Registered files and buffers.

use core::mem::offset_of;

/// Changes slots of the file table, with REGISTER_FILES_UPDATE. Since 5.5.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_files_update {
    /// The first slot.
    pub offset: u32,
    /// Zero.
    pub resv: u32,
    /// Address of an `i32` array.
    pub fds: u64,
}

/// Registers files or buffers, with tags: REGISTER_FILES2 and REGISTER_BUFFERS2. Since 5.13.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_rsrc_register {
    /// How many.
    pub nr: u32,
    /// `IORING_RSRC_REGISTER_*`.
    pub flags: u32,
    /// Zero.
    pub resv2: u64,
    /// Address of the array; 0 if sparse.
    pub data: u64,
    /// Address of a `u64` array; 0 for none.
    pub tags: u64,
}

/// Changes slots; also registers ring descriptors (since 5.18). Since 5.13.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_rsrc_update {
    /// The first slot; for ring descriptors -1 in, the index out.
    pub offset: u32,
    /// Zero.
    pub resv: u32,
    /// Address of the array; for ring descriptors the descriptor.
    pub data: u64,
}

/// Changes slots, with tags: REGISTER_FILES_UPDATE2 and REGISTER_BUFFERS_UPDATE. Since 5.13.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_rsrc_update2 {
    /// The first slot.
    pub offset: u32,
    /// Zero.
    pub resv: u32,
    /// Address of the array.
    pub data: u64,
    /// Address of a `u64` array; 0 for none.
    pub tags: u64,
    /// How many.
    pub nr: u32,
    /// Zero.
    pub resv2: u32,
}

/// Slots that the kernel may choose from, with REGISTER_FILE_ALLOC_RANGE. Since 6.0.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_file_index_range {
    /// The first.
    pub off: u32,
    /// How many.
    pub len: u32,
    /// Zero.
    pub resv: u64,
}

/// Shares registered buffers of another ring, with REGISTER_CLONE_BUFFERS. Since 6.12.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct io_uring_clone_buffers {
    /// The ring that has them.
    pub src_fd: u32,
    /// `IORING_REGISTER_SRC_REGISTERED`, `IORING_REGISTER_DST_REPLACE`.
    pub flags: u32,
    /// The first there.
    pub src_off: u32,
    /// The first here.
    pub dst_off: u32,
    /// How many; 0 for all.
    pub nr: u32,
    /// Zero.
    pub pad: [u32; 3],
}

const _: () = {
    assert!(size_of::<io_uring_files_update>() == 16);
    assert!(offset_of!(io_uring_files_update, offset) == 0);
    assert!(offset_of!(io_uring_files_update, resv) == 4);
    assert!(offset_of!(io_uring_files_update, fds) == 8);
    assert!(size_of::<io_uring_rsrc_register>() == 32);
    assert!(offset_of!(io_uring_rsrc_register, nr) == 0);
    assert!(offset_of!(io_uring_rsrc_register, flags) == 4);
    assert!(offset_of!(io_uring_rsrc_register, resv2) == 8);
    assert!(offset_of!(io_uring_rsrc_register, data) == 16);
    assert!(offset_of!(io_uring_rsrc_register, tags) == 24);
    assert!(size_of::<io_uring_rsrc_update>() == 16);
    assert!(offset_of!(io_uring_rsrc_update, offset) == 0);
    assert!(offset_of!(io_uring_rsrc_update, resv) == 4);
    assert!(offset_of!(io_uring_rsrc_update, data) == 8);
    assert!(size_of::<io_uring_rsrc_update2>() == 32);
    assert!(offset_of!(io_uring_rsrc_update2, offset) == 0);
    assert!(offset_of!(io_uring_rsrc_update2, resv) == 4);
    assert!(offset_of!(io_uring_rsrc_update2, data) == 8);
    assert!(offset_of!(io_uring_rsrc_update2, tags) == 16);
    assert!(offset_of!(io_uring_rsrc_update2, nr) == 24);
    assert!(offset_of!(io_uring_rsrc_update2, resv2) == 28);
    assert!(size_of::<io_uring_file_index_range>() == 16);
    assert!(offset_of!(io_uring_file_index_range, off) == 0);
    assert!(offset_of!(io_uring_file_index_range, len) == 4);
    assert!(offset_of!(io_uring_file_index_range, resv) == 8);
    assert!(size_of::<io_uring_clone_buffers>() == 32);
    assert!(offset_of!(io_uring_clone_buffers, src_fd) == 0);
    assert!(offset_of!(io_uring_clone_buffers, flags) == 4);
    assert!(offset_of!(io_uring_clone_buffers, src_off) == 8);
    assert!(offset_of!(io_uring_clone_buffers, dst_off) == 12);
    assert!(offset_of!(io_uring_clone_buffers, nr) == 16);
    assert!(offset_of!(io_uring_clone_buffers, pad) == 20);
};
