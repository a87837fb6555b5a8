//! What a query cost, in its response.

use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{
    Response, ServerError, ValidationResult, Value,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextRequest, NextValidation},
    value,
};

/// Adds `extensions.cost: { complexity, depth }`.
pub(super) struct Cost;

impl ExtensionFactory for Cost {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Measured::default())
    }
}

#[derive(Default)]
struct Measured(Mutex<Option<Value>>);

#[async_graphql::async_trait::async_trait]
impl Extension for Measured {
    async fn request(&self, ctx: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        let response = next.run(ctx).await;
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(cost) => response.extension("cost", cost),
            None => response,
        }
    }

    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let result = next.run(ctx).await?;
        let cost = value!({ "complexity": result.complexity, "depth": result.depth });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(cost);
        Ok(result)
    }
}
