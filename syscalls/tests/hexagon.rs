//! The types and commands of hexagon, on whatever machine this runs: what an emulated one cannot
//! tell because `tests/cross` gives it no occasion.

use annulus_syscalls::abi::hexagon as abi;

#[test]
fn types_have_the_sizes_of_a_32_bit_kernel() {
    let narrow = [
        size_of::<abi::mode_t>(),
        size_of::<abi::nlink_t>(),
        size_of::<abi::blksize_t>(),
        size_of::<abi::time_t>(),
        size_of::<abi::Elf_Symndx>(),
    ];
    assert_eq!(narrow, [4; 5]);
    let wide = [
        size_of::<abi::dev_t>(),
        size_of::<abi::ino_t>(),
        size_of::<abi::off_t>(),
        size_of::<abi::blkcnt_t>(),
    ];
    assert_eq!(wide, [8; 4]);
    let is_signed = [
        abi::off_t::MIN < 0,
        abi::blkcnt_t::MIN < 0,
        abi::blksize_t::MIN < 0,
        abi::time_t::MIN < 0,
    ];
    assert_eq!(is_signed, [true; 4]);
    let time = abi::timeval {
        tv_sec: -1,
        tv_usec: 999_999,
    };
    assert_eq!((size_of_val(&time), align_of_val(&time)), (8, 4));
    let sizes = [
        size_of::<abi::flock>(),
        size_of::<abi::flock64>(),
        size_of::<abi::msghdr>(),
        size_of::<abi::stat64>(),
    ];
    assert_eq!(sizes, [16, 32, 28, 104]);
}

#[test]
fn commands_count_from_f_dupfd_without_a_gap() {
    let commands = [
        abi::F_DUPFD,
        abi::F_GETFD,
        abi::F_SETFD,
        abi::F_GETFL,
        abi::F_SETFL,
        abi::F_GETLK,
        abi::F_SETLK,
        abi::F_SETLKW,
        abi::F_SETOWN,
        abi::F_GETOWN,
        abi::F_SETSIG,
        abi::F_GETSIG,
        abi::F_GETLK64,
        abi::F_SETLK64,
        abi::F_SETLKW64,
        abi::F_SETOWN_EX,
        abi::F_GETOWN_EX,
        abi::F_GETOWNER_UIDS,
    ];
    assert!(commands.into_iter().eq(0..18));
    assert_eq!([abi::F_RDLCK, abi::F_WRLCK, abi::F_UNLCK], [0, 1, 2]);
}
