//! The programs stand beside this file, one idea each: see `examples/*.rs`.
