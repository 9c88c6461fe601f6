//! The table of what can be asked for. The router is made from it, and the description of the API is
//! held against it.

use axum::Router;
use axum::routing::MethodRouter;

use super::api::refusal;

/// One method of one path.
pub(crate) struct Route<S> {
    /// In capitals.
    pub(crate) method: &'static str,
    /// With names of variable parts in braces.
    pub(crate) path: &'static str,
    /// What answers.
    pub(crate) handler: fn() -> MethodRouter<S>,
    /// The parameters of the query.
    #[cfg_attr(not(test), expect(dead_code, reason = "handlers take them themselves"))]
    pub(crate) parameters: &'static [&'static str],
    /// The statuses that it may answer with, beside those that every path may.
    #[cfg_attr(not(test), expect(dead_code, reason = "handlers give them themselves"))]
    pub(crate) statuses: &'static [u16],
}

impl<S> Route<S> {
    /// What `method` of `path` does.
    pub(crate) const fn new(
        method: &'static str,
        path: &'static str,
        handler: fn() -> MethodRouter<S>,
        parameters: &'static [&'static str],
        statuses: &'static [u16],
    ) -> Self {
        Self {
            method,
            path,
            handler,
            parameters,
            statuses,
        }
    }
}

/// The statuses that every path may answer with: not one Host, another host, a head too large.
#[cfg(test)]
pub(super) const UNGUARDED: [u16; 3] = [400, 421, 431];

/// The status that is the answer to a page of another site that would change something.
#[cfg(test)]
pub(super) const CHANGING: [u16; 1] = [403];

/// The statuses that every path may answer with that asks for a token.
#[cfg(test)]
pub(super) const GUARDED: [u16; 1] = [401];

/// A router of these, that knows no other method of their paths.
pub(crate) fn router<S: Clone + Send + Sync + 'static>(routes: &[Route<S>]) -> Router<S> {
    let with = |router: Router<S>, route: &Route<S>| router.route(route.path, (route.handler)());
    routes
        .iter()
        .fold(Router::new(), with)
        .method_not_allowed_fallback(refusal::method)
}
