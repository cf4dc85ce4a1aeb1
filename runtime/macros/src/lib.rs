//! Entry point macros.
