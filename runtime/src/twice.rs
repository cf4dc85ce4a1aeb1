//! Fails the build of a program that takes annulus in twice: renamed as a
//! dependency, and as the patched tokio. That would be two runtimes that know
//! nothing of each other.
//!
//! The renamed one sees it: what it calls `real` is then annulus too, and has
//! `REAL_IS_ANNULUS` in its root, where tokio has no such name.
#![forbid(unsafe_code)]

/// What the root of annulus shows as `REAL_IS_ANNULUS`.
pub const MARK: bool = true;

/// Seen below only if `real` has nothing of this name, for a glob in the block is
/// nearer than the module.
const REAL_IS_ANNULUS: bool = false;

const _: () = {
    #[allow(unused_imports)]
    use real::*;
    assert!(
        !REAL_IS_ANNULUS,
        "annulus is here twice, as a dependency and as the patch of tokio: \
         remove the dependency, or the line in [patch.crates-io]"
    );
};
