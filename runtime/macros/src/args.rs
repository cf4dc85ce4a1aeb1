//! The attribute's arguments: read, checked, and turned into builder calls.
#![forbid(unsafe_code)]

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Error, Expr, ExprLit, Lit, Meta, Path, Result, Token};

const KNOWN: &str =
    "`flavor`, `worker_threads`, `start_paused`, `unhandled_panic`, `name` and `crate`";

/// Which of the two attributes is being expanded.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Kind {
    Main,
    Test,
}

impl Kind {
    fn attribute(self) -> &'static str {
        match self {
            Kind::Main => "annulus::main",
            Kind::Test => "annulus::test",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Flavor {
    CurrentThread,
    MultiThread,
    Local,
}

/// The arguments after every rule has been checked.
pub(crate) struct Args {
    flavor: Flavor,
    worker_threads: Option<usize>,
    start_paused: Option<bool>,
    name: Option<String>,
    /// `crate = ".."`: where annulus is, when the manifest does not tell.
    pub(crate) path: Option<Path>,
}

impl Args {
    pub(crate) fn parse(kind: Kind, args: TokenStream) -> Result<Args> {
        let metas = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(args)?;
        let mut raw = Raw::default();
        for meta in metas {
            raw.read(kind, meta)?;
        }
        raw.check(kind)
    }

    /// What to expand to beside a compile error, so that an editor still sees
    /// the function as one that is not async.
    pub(crate) fn after_error() -> Args {
        Args {
            flavor: Flavor::CurrentThread,
            worker_threads: None,
            start_paused: None,
            name: None,
            path: None,
        }
    }

    /// The expression that makes the runtime; `annulus` is the crate's path.
    pub(crate) fn runtime(&self, annulus: &TokenStream) -> TokenStream {
        let new = match self.flavor {
            Flavor::MultiThread => quote!(new_multi_thread),
            Flavor::CurrentThread | Flavor::Local => quote!(new_current_thread),
        };
        let build = match self.flavor {
            Flavor::Local => quote!(build_local(::core::default::Default::default())),
            Flavor::CurrentThread | Flavor::MultiThread => quote!(build()),
        };
        let worker_threads = self.worker_threads.map(|n| quote!(.worker_threads(#n)));
        let start_paused = self.start_paused.map(|on| quote!(.start_paused(#on)));
        let name = self.name.as_ref().map(|name| quote!(.name(#name)));
        quote! {
            #annulus::runtime::Builder::#new()
                #worker_threads #start_paused #name
                .enable_all()
                .#build
                .expect("the runtime could not be built")
        }
    }
}

/// The arguments as written, each with the place to complain about.
#[derive(Default)]
struct Raw {
    flavor: Option<(Flavor, Span)>,
    worker_threads: Option<(usize, Span)>,
    start_paused: Option<(bool, Span)>,
    unhandled_panic: Option<((), Span)>,
    name: Option<(String, Span)>,
    path: Option<(Path, Span)>,
}

impl Raw {
    fn read(&mut self, kind: Kind, meta: Meta) -> Result<()> {
        let Meta::NameValue(pair) = &meta else {
            return Err(Error::new_spanned(&meta, bare_word(kind, meta.path())));
        };
        let value = match &pair.value {
            Expr::Lit(ExprLit { lit, .. }) => lit,
            other => return Err(Error::new_spanned(other, "the value must be a literal")),
        };
        match word(&pair.path).as_str() {
            "flavor" => set(&mut self.flavor, "flavor", value, flavor),
            "worker_threads" => set(&mut self.worker_threads, "worker_threads", value, threads),
            "start_paused" => set(&mut self.start_paused, "start_paused", value, boolean),
            "unhandled_panic" => set(&mut self.unhandled_panic, "unhandled_panic", value, panic),
            "name" => set(&mut self.name, "name", value, string),
            "crate" => set(&mut self.path, "crate", value, path),
            "core_threads" => Err(Error::new_spanned(
                &pair.path,
                "`core_threads` is called `worker_threads` now",
            )),
            other => Err(Error::new_spanned(&pair.path, unknown(other))),
        }
    }

    /// The rules between arguments, which are tokio's: threads are counted only
    /// where there are several, and the clock and the panics of a runtime are
    /// governed only where there is one.
    fn check(self, kind: Kind) -> Result<Args> {
        let flavor = match (self.flavor, kind) {
            (Some((flavor, _)), _) => flavor,
            (None, Kind::Main) => Flavor::MultiThread,
            (None, Kind::Test) => Flavor::CurrentThread,
        };
        let (name, span, wanted) = match flavor {
            Flavor::MultiThread => match (&self.start_paused, &self.unhandled_panic) {
                (Some((_, span)), _) => ("start_paused", Some(*span), "current_thread"),
                (None, Some((_, span))) => ("unhandled_panic", Some(*span), "current_thread"),
                (None, None) => ("", None, ""),
            },
            Flavor::CurrentThread | Flavor::Local => {
                let span = self.worker_threads.map(|(_, span)| span);
                ("worker_threads", span, "multi_thread")
            }
        };
        if let Some(span) = span {
            let attribute = kind.attribute();
            return Err(Error::new(
                span,
                format!(
                    "`{name}` needs the `{wanted}` flavor: \
                     write `#[{attribute}(flavor = \"{wanted}\", ..)]`"
                ),
            ));
        }
        Ok(Args {
            flavor,
            worker_threads: self.worker_threads.map(|(n, _)| n),
            start_paused: self.start_paused.map(|(on, _)| on),
            name: self.name.map(|(name, _)| name),
            path: self.path.map(|(path, _)| path),
        })
    }
}

fn set<T>(
    slot: &mut Option<(T, Span)>,
    name: &str,
    value: &Lit,
    read: fn(&str, &Lit) -> Result<T>,
) -> Result<()> {
    if slot.is_some() {
        return Err(Error::new(value.span(), format!("`{name}` is given twice")));
    }
    *slot = Some((read(name, value)?, value.span()));
    Ok(())
}

fn word(path: &Path) -> String {
    path.get_ident()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn unknown(name: &str) -> String {
    format!("unknown argument `{name}`; the arguments are {KNOWN}")
}

fn bare_word(kind: Kind, path: &Path) -> String {
    let attribute = kind.attribute();
    match word(path).as_str() {
        "multi_thread" | "threaded_scheduler" => {
            format!("write `#[{attribute}(flavor = \"multi_thread\")]`")
        }
        "current_thread" | "basic_scheduler" | "single_threaded" => {
            format!("write `#[{attribute}(flavor = \"current_thread\")]`")
        }
        "local" => format!("write `#[{attribute}(flavor = \"local\")]`"),
        name @ ("flavor" | "worker_threads" | "start_paused" | "unhandled_panic" | "name"
        | "crate") => format!("`{name}` needs a value: `{name} = ..`"),
        other => unknown(other),
    }
}

fn flavor(name: &str, value: &Lit) -> Result<Flavor> {
    let text = string(name, value)?;
    let message = match text.as_str() {
        "current_thread" => return Ok(Flavor::CurrentThread),
        "multi_thread" => return Ok(Flavor::MultiThread),
        "local" => return Ok(Flavor::Local),
        "single_thread" | "single_threaded" | "basic_scheduler" => {
            format!("the flavor `{text}` is called `current_thread`")
        }
        "threaded_scheduler" => format!("the flavor `{text}` is called `multi_thread`"),
        _ => format!(
            "no such flavor `{text}`; the flavors are `current_thread`, `multi_thread` and `local`"
        ),
    };
    Err(Error::new(value.span(), message))
}

fn threads(name: &str, value: &Lit) -> Result<usize> {
    let Lit::Int(digits) = value else {
        return Err(Error::new(
            value.span(),
            format!("`{name}` must be an integer"),
        ));
    };
    match digits.base10_parse() {
        Ok(0) => Err(Error::new(
            value.span(),
            format!("`{name}` must be above 0"),
        )),
        Ok(count) => Ok(count),
        Err(cause) => Err(Error::new(
            value.span(),
            format!("`{name}` must be an integer: {cause}"),
        )),
    }
}

fn boolean(name: &str, value: &Lit) -> Result<bool> {
    match value {
        Lit::Bool(on) => Ok(on.value),
        _ => Err(Error::new(
            value.span(),
            format!("`{name}` must be `true` or `false`"),
        )),
    }
}

/// A panic ends its task and nothing else: the one answer there is, so that it
/// needs no builder call.
fn panic(name: &str, value: &Lit) -> Result<()> {
    let text = string(name, value)?;
    let message = match text.as_str() {
        "ignore" => return Ok(()),
        "shutdown_runtime" => "annulus has no `shutdown_runtime`: a panic ends its own task only \
             (tokio has it under its `tokio_unstable` only)"
            .to_owned(),
        _ => format!("no such behavior `{text}`; `{name}` can be `ignore`"),
    };
    Err(Error::new(value.span(), message))
}

fn string(name: &str, value: &Lit) -> Result<String> {
    match value {
        Lit::Str(text) => Ok(text.value()),
        _ => Err(Error::new(
            value.span(),
            format!("`{name}` must be a string"),
        )),
    }
}

fn path(name: &str, value: &Lit) -> Result<Path> {
    let not_a_path = || Error::new(value.span(), format!("`{name}` must be a path in a string"));
    match value {
        Lit::Str(text) => text.parse().map_err(|_| not_a_path()),
        _ => Err(not_a_path()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(kind: Kind, args: TokenStream) -> String {
        let args = Args::parse(kind, args).expect("the arguments are right");
        args.runtime(&quote!(::annulus)).to_string()
    }

    fn error(kind: Kind, args: TokenStream) -> String {
        Args::parse(kind, args)
            .err()
            .expect("the arguments are wrong")
            .to_string()
    }

    fn calls(chain: TokenStream) -> String {
        quote!(::annulus::runtime::Builder:: #chain .expect("the runtime could not be built"))
            .to_string()
    }

    #[test]
    fn main_is_multi_threaded_and_a_test_is_not() {
        assert_eq!(
            built(Kind::Main, quote!()),
            calls(quote!(new_multi_thread().enable_all().build()))
        );
        assert_eq!(
            built(Kind::Test, quote!()),
            calls(quote!(new_current_thread().enable_all().build()))
        );
    }

    #[test]
    fn every_argument_becomes_its_builder_call() {
        assert_eq!(
            built(
                Kind::Test,
                quote!(flavor = "multi_thread", worker_threads = 3, name = "w")
            ),
            calls(quote!(
                new_multi_thread()
                    .worker_threads(3usize)
                    .name("w")
                    .enable_all()
                    .build()
            ))
        );
        assert_eq!(
            built(
                Kind::Main,
                quote!(
                    flavor = "current_thread",
                    start_paused = true,
                    unhandled_panic = "ignore",
                )
            ),
            calls(quote!(
                new_current_thread().start_paused(true).enable_all().build()
            ))
        );
        assert_eq!(
            built(Kind::Main, quote!(flavor = "local")),
            calls(quote!(
                new_current_thread()
                    .enable_all()
                    .build_local(::core::default::Default::default())
            ))
        );
    }

    #[test]
    fn an_option_of_another_flavor_is_refused_with_the_flavor_it_needs() {
        for flavor in [quote!("current_thread"), quote!("local")] {
            let text = error(Kind::Test, quote!(flavor = #flavor, worker_threads = 2));
            assert!(
                text.contains("#[annulus::test(flavor = \"multi_thread\", ..)]"),
                "{text}"
            );
        }
        for option in [
            quote!(start_paused = true),
            quote!(unhandled_panic = "ignore"),
        ] {
            let text = error(Kind::Main, option);
            assert!(
                text.contains("#[annulus::main(flavor = \"current_thread\", ..)]"),
                "{text}"
            );
        }
        error(Kind::Test, quote!(worker_threads = 2));
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_name() {
        for (args, says) in [
            (quote!(flavor = "turbo"), "no such flavor `turbo`"),
            (
                quote!(flavor = "threaded_scheduler"),
                "called `multi_thread`",
            ),
            (
                quote!(flavor = "basic_scheduler"),
                "called `current_thread`",
            ),
            (quote!(flavor = 1), "`flavor` must be a string"),
            (
                quote!(worker_threads = 0),
                "`worker_threads` must be above 0",
            ),
            (
                quote!(worker_threads = "2"),
                "`worker_threads` must be an integer",
            ),
            (
                quote!(worker_threads = 99999999999999999999999),
                "`worker_threads` must be an",
            ),
            (
                quote!(start_paused = 1),
                "`start_paused` must be `true` or `false`",
            ),
            (
                quote!(unhandled_panic = "shutdown_runtime"),
                "annulus has no `shutdown_runtime`",
            ),
            (
                quote!(unhandled_panic = "explode"),
                "no such behavior `explode`",
            ),
            (quote!(name = 7), "`name` must be a string"),
            (quote!(crate = "a b"), "`crate` must be a path"),
            (quote!(crate = 3), "`crate` must be a path"),
            (quote!(core_threads = 4), "called `worker_threads`"),
            (quote!(colour = "red"), "unknown argument `colour`"),
            (quote!(worker_threads = 1 + 1), "must be a literal"),
            (quote!(name = "a", name = "b"), "`name` is given twice"),
            (quote!(multi_thread), "flavor = \"multi_thread\""),
            (quote!(current_thread), "flavor = \"current_thread\""),
            (quote!(local), "flavor = \"local\""),
            (quote!(flavor), "`flavor` needs a value"),
            (quote!(colour), "unknown argument `colour`"),
            (quote!(flavor("local")), "`flavor` needs a value"),
        ] {
            let text = error(Kind::Main, args.clone());
            assert!(text.contains(says), "{args}: {text}");
        }
    }

    #[test]
    fn crate_takes_a_path() {
        let args = Args::parse(Kind::Main, quote!(crate = "a::b")).expect("a path");
        let path = args.path;
        assert_eq!(quote!(#path).to_string(), quote!(a::b).to_string());
    }
}
