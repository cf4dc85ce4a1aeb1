//! The function under the attribute: taken apart, and put together again.
#![forbid(unsafe_code)]

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{AttrStyle, Attribute, Error, Meta, Result, ReturnType, Signature, Type, Visibility};

use crate::args::{Args, Kind};
use crate::path;

/// Expands one attribute. A mistake becomes a compile error beside a function
/// of the right shape, so that editors go on completing in its body.
pub(crate) fn expand(kind: Kind, args: TokenStream, item: TokenStream) -> TokenStream {
    let function = match syn::parse2::<Function>(item.clone()) {
        Ok(function) => function,
        Err(error) => {
            let error = error.into_compile_error();
            return quote!(#item #error);
        }
    };
    let checked = function.check(kind).and_then(|()| Args::parse(kind, args));
    let (args, error) = match checked {
        Ok(args) => (args, None),
        Err(error) => (Args::after_error(), Some(error.into_compile_error())),
    };
    let annulus = args
        .path
        .as_ref()
        .map_or_else(path::find, |path| quote!(#path));
    let function = function.build(kind, args.runtime(&annulus));
    quote!(#function #error)
}

/// A function whose body is left as tokens: only its head matters here, and a
/// body that is half typed is not ours to reject.
struct Function {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    signature: Signature,
    body: Group,
}

impl Function {
    fn check(&self, kind: Kind) -> Result<()> {
        let signature = &self.signature;
        if signature.asyncness.is_none() {
            return Err(Error::new_spanned(
                signature.fn_token,
                "the function must be an `async fn`",
            ));
        }
        match kind {
            Kind::Main if signature.ident == "main" && !signature.inputs.is_empty() => Err(
                Error::new_spanned(&signature.inputs, "`main` takes no arguments"),
            ),
            Kind::Test => match self.attributes.iter().find(|attribute| is_test(attribute)) {
                Some(second) => Err(Error::new_spanned(
                    second,
                    "a second test attribute: remove it, `#[annulus::test]` brings its own",
                )),
                None => Ok(()),
            },
            Kind::Main => Ok(()),
        }
    }

    fn build(self, kind: Kind, runtime: TokenStream) -> TokenStream {
        let Function {
            attributes,
            visibility,
            mut signature,
            body,
        } = self;
        signature.asyncness = None;
        let test = (kind == Kind::Test).then(|| quote!(#[::core::prelude::v1::test]));
        let output = output(&signature.output);
        // An async block cannot name its type. A first `return` that never runs
        // names it, so that `?`, `return` and coercions in the body mean what
        // they mean in the function. The name is odd because a pattern that met
        // a constant of the user's would be read as that constant.
        let typed = output.as_ref().map(|ty| {
            quote! {
                if let ::core::option::Option::Some(__annulus_output) =
                    ::core::option::Option::None::<#ty>
                {
                    return __annulus_output;
                }
            }
        });
        let statements = body.stream();
        let mut block = Group::new(Delimiter::Brace, quote!(#typed #statements));
        block.set_span(body.span());
        let body = quote!(async #block);
        // A program has one main, but hundreds of tests: erasing the body's type
        // keeps the runtime's loop from being compiled anew for each of them.
        let body = match (kind, output) {
            (Kind::Test, Some(ty)) => quote! {
                ::core::pin::pin!(#body)
                    as ::core::pin::Pin<&mut dyn ::core::future::Future<Output = #ty> >
            },
            _ => body,
        };
        quote! {
            #(#attributes)*
            #[allow(clippy::expect_used)]
            #test
            #visibility #signature {
                #runtime.block_on(#body)
            }
        }
    }
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut attributes = input.call(Attribute::parse_outer)?;
        let visibility = input.parse()?;
        let signature = input.parse()?;
        let body;
        let brace = syn::braced!(body in input);
        // A closure's body cannot carry inner attributes: they go to the head.
        attributes.extend(
            body.call(Attribute::parse_inner)?
                .into_iter()
                .map(|mut attribute| {
                    attribute.style = AttrStyle::Outer;
                    attribute
                }),
        );
        let mut body = Group::new(Delimiter::Brace, body.parse()?);
        body.set_span(brace.span.join());
        Ok(Function {
            attributes,
            visibility,
            signature,
            body,
        })
    }
}

/// `#[test]`, `#[core::prelude::v1::test]` and the like. A test attribute of
/// another harness is that harness' to judge.
fn is_test(attribute: &Attribute) -> bool {
    let Meta::Path(path) = &attribute.meta else {
        return false;
    };
    let words: Vec<String> = path
        .segments
        .iter()
        .map(|word| word.ident.to_string())
        .collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["test"] => path.leading_colon.is_none(),
        ["core" | "std", "prelude", _, "test"] => true,
        _ => false,
    }
}

/// The return type, where an expression may name it: neither `impl Trait` nor
/// `!` can be written there.
fn output(output: &ReturnType) -> Option<TokenStream> {
    match output {
        ReturnType::Default => Some(quote!(())),
        ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)) => None,
        ReturnType::Type(_, ty) => {
            let ty = quote!(#ty);
            (!names_impl_trait(ty.clone())).then_some(ty)
        }
    }
}

fn names_impl_trait(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "impl",
        TokenTree::Group(group) => names_impl_trait(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(kind: Kind, args: TokenStream, item: TokenStream) -> String {
        let args = quote!(crate = "a", flavor = "current_thread", #args);
        expand(kind, args, item).to_string()
    }

    fn runtime() -> TokenStream {
        quote! {
            a::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("the runtime could not be built")
        }
    }

    fn typed(ty: TokenStream) -> TokenStream {
        quote! {
            if let ::core::option::Option::Some(__annulus_output) =
                ::core::option::Option::None::<#ty>
            {
                return __annulus_output;
            }
        }
    }

    #[test]
    fn main_keeps_its_head_and_loses_its_async() {
        let runtime = runtime();
        let typed = typed(quote!(Result<&'a T, E>));
        assert_eq!(
            expanded(
                Kind::Main,
                quote!(),
                quote! {
                    #[must_use]
                    pub(crate) async unsafe fn run<'a, T: Copy>(x: &'a T) -> Result<&'a T, E>
                    where
                        T: Send,
                    {
                        #![allow(dead_code)]
                        f(x)?;
                        Ok(x)
                    }
                }
            ),
            quote! {
                #[must_use]
                #[allow(dead_code)]
                #[allow(clippy::expect_used)]
                pub(crate) unsafe fn run<'a, T: Copy>(x: &'a T) -> Result<&'a T, E>
                where
                    T: Send,
                {
                    #runtime.block_on(async { #typed f(x)?; Ok(x) })
                }
            }
            .to_string()
        );
    }

    #[test]
    fn a_test_gets_the_test_attribute_last_and_an_erased_body() {
        let runtime = runtime();
        let typed = typed(quote!(()));
        assert_eq!(
            expanded(
                Kind::Test,
                quote!(),
                quote!(
                    #[ignore]
                    async fn it_works() {
                        f().await;
                    }
                )
            ),
            quote! {
                #[ignore]
                #[allow(clippy::expect_used)]
                #[::core::prelude::v1::test]
                fn it_works() {
                    #runtime.block_on(
                        ::core::pin::pin!(async { #typed f().await; })
                            as ::core::pin::Pin<&mut dyn ::core::future::Future<Output = ()> >
                    )
                }
            }
            .to_string()
        );
    }

    #[test]
    fn a_type_that_cannot_be_named_is_left_to_inference() {
        for ty in [quote!(Box<impl Sized>), quote!(!)] {
            let text = expanded(Kind::Test, quote!(), quote!(async fn f() -> #ty { g() }));
            assert!(text.contains("async { g () }"), "{text}");
            assert!(!text.contains("dyn"), "{text}");
        }
    }

    #[test]
    fn a_mistake_is_a_compile_error_beside_the_function() {
        for (kind, args, item, says) in [
            (
                Kind::Main,
                quote!(),
                quote!(
                    fn main() {}
                ),
                "must be an `async fn`",
            ),
            (
                Kind::Main,
                quote!(),
                quote!(
                    async fn main(x: u8) {}
                ),
                "takes no arguments",
            ),
            (
                Kind::Main,
                quote!(colour = 1),
                quote!(
                    async fn main() {}
                ),
                "unknown argument",
            ),
            (
                Kind::Test,
                quote!(),
                quote!(
                    #[test]
                    async fn t() {}
                ),
                "second test attribute",
            ),
            (
                Kind::Test,
                quote!(),
                quote!(
                    #[::std::prelude::rust_2024::test]
                    async fn t() {}
                ),
                "second test attribute",
            ),
        ] {
            let text = expanded(kind, args, item);
            assert!(text.contains("compile_error"), "{text}");
            assert!(text.contains(says), "{text}");
            assert!(
                text.contains("fn ") && !text.contains("async fn m"),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_function_comes_back_with_an_error() {
        let text = expanded(
            Kind::Main,
            quote!(),
            quote!(
                struct S;
            ),
        );
        assert!(
            text.contains("struct S ;") && text.contains("compile_error"),
            "{text}"
        );
    }

    #[test]
    fn only_a_main_is_denied_arguments() {
        let text = expanded(
            Kind::Main,
            quote!(),
            quote!(
                async fn run(x: u8) {}
            ),
        );
        assert!(!text.contains("compile_error"), "{text}");
    }
}
