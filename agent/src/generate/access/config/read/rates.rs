//! `error_rates` and `status_codes`: how often requests go wrong, and what is answered then.

use super::{Warnings, pages, take_also};
use crate::config::ConfigError;
use crate::config::tree::Branch;
use crate::generate::access::config::{ErrorsConfig, StatusConfig, check};

/// Reads `error_rates`.
pub(super) fn error_rates(
    section: Option<Branch<'_>>,
    warnings: &mut Warnings,
) -> Result<ErrorsConfig, ConfigError> {
    let mut errors = ErrorsConfig::default();
    let Some(mut section) = section else {
        return Ok(errors);
    };
    let renamed = [
        (&mut errors.global_500_rate, "global_500_rate", "global_500"),
        (
            &mut errors.product_404_rate,
            "product_404_rate",
            "product_404",
        ),
        (
            &mut errors.cart_abandonment_rate,
            "cart_abandonment_rate",
            "cart_abandon",
        ),
        (
            &mut errors.checkout_500,
            "checkout_500",
            "checkout_500_rate",
        ),
        (
            &mut errors.redirect_301,
            "redirect_301",
            "redirect_301_rate",
        ),
        (
            &mut errors.redirect_302,
            "redirect_302",
            "redirect_302_rate",
        ),
        (
            &mut errors.forbidden_access,
            "forbidden_access",
            "forbidden_access_rate",
        ),
        (
            &mut errors.auth_failure,
            "auth_failure",
            "auth_failure_rate",
        ),
    ];
    for (place, name, other) in renamed {
        if let Some(value) = take_also(&mut section, name, other, warnings) {
            *place = value.read(check::share)?;
        }
    }
    if let Some(value) = section.take("high_error_pages") {
        errors.high_error_pages = pages::high_error_pages(&value)?;
    }
    section.end()?;
    Ok(errors)
}

/// Reads `status_codes`.
pub(super) fn status_codes(section: Option<Branch<'_>>) -> Result<StatusConfig, ConfigError> {
    let mut status = StatusConfig::default();
    let Some(mut section) = section else {
        return Ok(status);
    };
    let places = [
        (&mut status.success, "success"),
        (&mut status.not_found, "not_found"),
        (&mut status.server_error, "server_error"),
        (&mut status.forbidden, "forbidden"),
        (&mut status.unauthorized, "unauthorized"),
        (&mut status.redirect_permanent, "redirect_permanent"),
        (&mut status.redirect_temporary, "redirect_temporary"),
    ];
    for (place, name) in places {
        section.set(name, place, check::status)?;
    }
    section.end()?;
    Ok(status)
}
