//! Extended attributes, where the file system has them.

use std::ffi::CStr;

use annulus_ring::{Errno, Ring};
use annulus_syscalls::io_uring::flags::file::{XATTR_CREATE, XATTR_REPLACE};

use crate::support::{TempFile, result, ring, skip_feature};

/// A file by its path, or open.
#[derive(Clone, Copy)]
enum Place<'a> {
    Path(&'a CStr),
    Open(i32),
}

fn set(
    ring: &mut Ring,
    place: Place<'_>,
    name: &CStr,
    value: &[u8],
    flags: i32,
) -> Result<u32, Errno> {
    let (name, start, len) = (name.as_ptr(), value.as_ptr().cast(), value.len() as u32);
    result(ring, |sqe| match place {
        Place::Path(path) => {
            // SAFETY: the strings and the value outlive the completion.
            unsafe { sqe.prep_setxattr(name, start, path.as_ptr(), flags, len) }
        }
        // SAFETY: as above.
        Place::Open(fd) => unsafe { sqe.prep_fsetxattr(fd, name, start, flags, len) },
    })
}

fn get(ring: &mut Ring, place: Place<'_>, name: &CStr, value: &mut [u8]) -> Result<u32, Errno> {
    let (name, start, len) = (name.as_ptr(), value.as_mut_ptr().cast(), value.len() as u32);
    result(ring, |sqe| match place {
        Place::Path(path) => {
            // SAFETY: the strings and the value outlive the completion.
            unsafe { sqe.prep_getxattr(name, start, path.as_ptr(), len) }
        }
        // SAFETY: as above.
        Place::Open(fd) => unsafe { sqe.prep_fgetxattr(fd, name, start, len) },
    })
}

#[test]
fn an_attribute_is_given_read_and_replaced_by_path_and_by_descriptor() {
    let mut ring = ring();
    let file = TempFile::new();
    let path = file.c_path();
    for (name, place) in [
        (c"user.by-path", Place::Path(&path)),
        (c"user.open", Place::Open(file.fd())),
    ] {
        match set(&mut ring, place, name, b"first value", 0) {
            Err(Errno::EOPNOTSUPP) => return skip_feature("this file system has no attributes"),
            given => assert_eq!(given, Ok(0)),
        }
        let mut value = [0; 64];
        // Both ways lead to the same attribute.
        for place in [Place::Path(&path), Place::Open(file.fd())] {
            assert_eq!(get(&mut ring, place, name, &mut value), Ok(11));
            assert_eq!(&value[..11], b"first value");
        }
        assert_eq!(
            get(&mut ring, place, name, &mut []),
            Ok(11),
            "its size only"
        );
        let short = get(&mut ring, place, name, &mut [0; 4]);
        assert_eq!(short, Err(Errno::ERANGE));
        let create = set(&mut ring, place, name, b"x", XATTR_CREATE);
        assert_eq!(create, Err(Errno::EEXIST));
        assert_eq!(set(&mut ring, place, name, b"other", XATTR_REPLACE), Ok(0));
        assert_eq!(get(&mut ring, place, name, &mut value), Ok(5));
        assert_eq!(&value[..5], b"other");
        let absent = set(&mut ring, place, c"user.absent", b"x", XATTR_REPLACE);
        assert_eq!(absent, Err(Errno::ENODATA));
        let absent = get(&mut ring, place, c"user.absent", &mut value);
        assert_eq!(absent, Err(Errno::ENODATA));
        assert_eq!(
            set(&mut ring, place, name, b"x", 1 << 10),
            Err(Errno::EINVAL)
        );
        let elsewhere = set(&mut ring, place, c"nowhere.name", b"x", 0);
        assert_eq!(elsewhere, Err(Errno::EOPNOTSUPP));
        assert_eq!(set(&mut ring, place, c"", b"x", 0), Err(Errno::ERANGE));
        let long = set(&mut ring, place, name, &[0; (64 << 10) + 1], 0);
        assert_eq!(long, Err(Errno::E2BIG));
    }
}

#[test]
fn a_file_that_is_not_there_has_no_attributes() {
    let mut ring = ring();
    let absent = Place::Path(c"/absent/file");
    let refused = set(&mut ring, absent, c"user.name", b"x", 0);
    assert_eq!(refused, Err(Errno::ENOENT));
    let mut value = [0; 8];
    let refused = get(&mut ring, absent, c"user.name", &mut value);
    assert_eq!(refused, Err(Errno::ENOENT));
    let refused = get(&mut ring, Place::Open(-1), c"user.name", &mut value);
    assert_eq!(refused, Err(Errno::EBADF));
}
