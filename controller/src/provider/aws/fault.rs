//! What can go wrong between us and AWS, in words for the person who must act.
//!
//! Messages are made of error code and message, never of a whole response: request ids differ in every one, and a
//! condition that changes with every attempt wakes whoever watches it.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::{
    error::{Code, Error},
    http::causes,
};

/// Longest quote of what AWS said.
const MAX_QUOTE: usize = 400;

/// The error that a failed call means. `act`: what was tried, naming the secret or role.
pub fn fault<E>(act: &str, error: &SdkError<E, HttpResponse>) -> Error
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    if let Some(own) = own(error) {
        return own;
    }
    match error {
        SdkError::ServiceError(service) => {
            let metadata = service.err().meta();
            let (code, message) = (metadata.code().unwrap_or("no code"), metadata.message().unwrap_or("no message"));
            said(act, code, message, service.raw().status().as_u16())
        }
        SdkError::TimeoutError(_) => unreachable(act, "no answer in time"),
        SdkError::DispatchFailure(failure) if failure.is_user() => {
            let problem = format!("{act}: the request could not be made: {}", quote(&causes(error)));
            Error::fix(Code::AwsRequestInvalid, problem)
        }
        SdkError::DispatchFailure(_) => dispatch(act, error),
        SdkError::ResponseError(_) => {
            Error::retry(Code::AwsUnreachable, format!("{act}: the answer broke off or is not one of AWS"))
        }
        _ => Error::fix(
            Code::AwsRequestInvalid,
            format!("{act}: the request could not be made: {}", quote(&causes(error))),
        ),
    }
}

/// The error that a batch told of one of its entries.
pub fn partial(act: &str, code: &str, message: &str) -> Error {
    let status = if code == "InternalServiceError" { 500 } else { 400 };
    said(act, code, message, status)
}

/// The error of ours that a credentials provider of ours failed with, if any.
fn own(error: &(dyn StdError + 'static)) -> Option<Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(own) = error.downcast_ref::<Error>() {
            return Some(own.clone());
        }
        cause = error.source();
    }
    None
}

fn dispatch(act: &str, error: &(dyn StdError + 'static)) -> Error {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<CredentialsError>() {
            return without_credentials(act, error);
        }
        cause = error.source();
    }
    unreachable(act, &causes(error))
}

/// Nobody provides credentials, or whoever should does not answer.
pub fn without_credentials(act: &str, error: &CredentialsError) -> Error {
    if let Some(own) = own(error) {
        return own;
    }
    let advice = "name credentials in the store, or give the controller's Pod an identity";
    let problem = format!("{act}: no credentials: {}; {advice}", quote(&causes(error)));
    Error::fix(Code::AwsCredentialsInvalid, problem)
}

fn unreachable(act: &str, why: &str) -> Error {
    let advice = "check the region, DNS and network policies";
    Error::outage(Code::AwsUnreachable, format!("{act}: AWS cannot be reached: {}; {advice}", quote(why)))
}

fn said(act: &str, code: &str, message: &str, status: u16) -> Error {
    let quoted = format!("{act}: {code}: {}", quote(message));
    match code {
        "AccessDenied" | "AccessDeniedException" | "DecryptionFailure" => Error::fix(
            Code::AwsAccessDenied,
            format!("{quoted}; allow this action in the IAM policy, or correct the name"),
        ),
        // Their messages quote the signed request, session token included.
        "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException" => {
            let problem =
                format!("{act}: {code}: the secret access key does not fit the access key; correct the Secret");
            Error::fix(Code::AwsCredentialsInvalid, problem)
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidIdentityToken"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "NotAuthorized"
        | "OptInRequired"
        | "UnrecognizedClientException" => {
            Error::fix(Code::AwsCredentialsInvalid, format!("{quoted}; correct the credentials that the store names"))
        }
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException" => Error::retry(Code::AwsThrottled, quoted),
        _ if status >= 500 => Error::outage(Code::AwsUnreachable, quoted),
        _ if status == 429 => Error::retry(Code::AwsThrottled, quoted),
        _ => Error::fix(Code::AwsRequestInvalid, quoted),
    }
}

fn quote(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(MAX_QUOTE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_aws_become_ours_and_signatures_are_not_quoted() {
        let table = [
            ("AccessDeniedException", 400, Code::AwsAccessDenied),
            ("UnrecognizedClientException", 400, Code::AwsCredentialsInvalid),
            ("InvalidSignatureException", 403, Code::AwsCredentialsInvalid),
            ("ThrottlingException", 400, Code::AwsThrottled),
            ("InvalidParameterException", 400, Code::AwsRequestInvalid),
            ("InternalServiceError", 500, Code::AwsUnreachable),
            ("Whatever", 418, Code::AwsRequestInvalid),
        ];
        for (code, status, expected) in table {
            let error = said("reading secret \"app\"", code, "canary", status);
            assert_eq!(error.code(), expected, "{code}");
            assert!(error.to_string().contains("\"app\""), "{error}");
            assert_eq!(error.to_string().contains("canary"), code != "InvalidSignatureException", "{error}");
        }
    }
}
