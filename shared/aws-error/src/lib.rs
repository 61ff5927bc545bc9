//! What may be told of a failed call to an AWS service.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// The code of a failed call: the service's own, as `AccessDeniedException`, or where on the way the call ended.
///
/// The message is dropped: it names accounts and roles, and this goes into a log.
pub fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    match error {
        SdkError::ServiceError(refused) => refused.err().code().unwrap_or("ServiceError"),
        SdkError::TimeoutError(_) => "Timeout",
        SdkError::DispatchFailure(_) => "DispatchFailure",
        SdkError::ConstructionFailure(_) => "ConstructionFailure",
        _ => "ResponseError",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::error::ErrorMetadata;

    fn refused(metadata: ErrorMetadata) -> SdkError<ErrorMetadata, ()> {
        SdkError::service_error(metadata, ())
    }

    #[test]
    fn a_service_is_quoted_by_its_code_and_never_by_its_message() {
        let metadata =
            ErrorMetadata::builder().code("AccessDeniedException").message("arn:aws:iam::1:role/canary");
        assert_eq!(code(&refused(metadata.build())), "AccessDeniedException");
        assert_eq!(code(&refused(ErrorMetadata::builder().message("canary").build())), "ServiceError");
    }

    #[test]
    fn what_never_reached_the_service_says_where_it_ended() {
        let of = |error: SdkError<ErrorMetadata, ()>| code(&error).to_owned();
        assert_eq!(of(SdkError::timeout_error("canary")), "Timeout");
        assert_eq!(of(SdkError::construction_failure("canary")), "ConstructionFailure");
        assert_eq!(of(SdkError::response_error("canary", ())), "ResponseError");
    }
}
