//! Headers and blocks.

use rustorium_chain::storage::{SealedHeader, TransactionPosition};
use rustorium_types::id::{Hash, Height};

use super::{PageRequest, Pinned, Render};
use crate::api::{
    model::{Block, Header, Headers, Transactions},
    problem::ApiError,
    scalar::{self, Cursor},
};

/// Which block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BlockName {
    Latest,
    Height(Height),
    Hash(Hash),
}

impl std::str::FromStr for BlockName {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        if text.starts_with("0x") {
            return Ok(Self::Hash(text.parse()?));
        }
        let wrong = |_| ApiError::bad_input(format!("`{text}` is neither a height, nor a block's hash, nor `latest`"));
        text.parse().map(Self::Height).map_err(wrong)
    }
}

impl Pinned {
    /// The sealed header of a name; `None` if there is no such block.
    pub(crate) fn sealed(&self, name: BlockName) -> Result<Option<SealedHeader>, ApiError> {
        let snapshot = self.snapshot();
        let sealed = match name {
            BlockName::Latest => snapshot.head().cloned(),
            BlockName::Height(height) => snapshot.header(height)?,
            BlockName::Hash(hash) => snapshot.header_by_hash(&hash)?,
        };
        Ok(sealed)
    }

    /// A header as the API says it.
    pub(crate) fn header(&self, sealed: &SealedHeader) -> Result<Header, ApiError> {
        let header = &sealed.header;
        let state_height = header.state_height;
        let (state_root, result_path) = match self.snapshot().result(state_height)? {
            Some(result) => {
                let path = self.snapshot().result_path(state_height, state_height)?;
                (result.state_root, borsh::to_vec(&(result, path)).unwrap_or_default())
            }
            None => (self.app().genesis_root()?, Vec::new()),
        };
        Ok(Header {
            height: scalar::Height(header.height),
            hash: scalar::Hash(sealed.hash),
            parent: scalar::Hash(header.parent),
            epoch: scalar::Uint(header.epoch.0),
            time: scalar::DateTime(header.time),
            gas_price: scalar::Amount(header.gas_price),
            state_height: scalar::Height(state_height),
            state_root: scalar::Hash(state_root),
            result_path: result_path.into(),
            bytes: borsh::to_vec(header).unwrap_or_default().into(),
            certificate: Some(scalar::Bytes(sealed.certificate.clone())),
        })
    }

    /// A block with a page of its transactions.
    pub(crate) fn block(&self, name: BlockName, page: &PageRequest) -> Result<Block, ApiError> {
        let sealed = self.sealed(name)?.ok_or_else(|| ApiError::not_found("there is no such block"))?;
        let height = sealed.header.height;
        Ok(Block {
            header: self.header(&sealed)?,
            certified_by: Render::new(self).certified_by(height)?.map(scalar::Height),
            undone: self.snapshot().undone_at(height).is_some(),
            transactions: self.block_transactions(height, page)?,
        })
    }

    /// A page of a block's transactions.
    pub(crate) fn block_transactions(&self, height: Height, page: &PageRequest) -> Result<Transactions, ApiError> {
        let page = page.check(self.page_size(), position)?;
        let block = self.snapshot().block(height)?.ok_or_else(|| ApiError::not_found("there is no such block"))?;
        let count = u32::try_from(block.receipts.len()).unwrap_or(u32::MAX);
        let low = page.after.map_or(0, |after| after.index.saturating_add(1));
        let high = page.before.map_or(count, |before| before.index.min(count));
        let positions = (low..high.max(low)).map(|index| TransactionPosition { height, index });
        let wanted = page.limit + 1;
        let found: Vec<_> =
            if page.from_back { positions.rev().take(wanted).collect() } else { positions.take(wanted).collect() };
        let (positions, page_info) = page.cut(found, cursor);
        self.transactions(&positions, page_info)
    }

    /// Headers, newest first.
    pub(crate) fn headers(&self, page: &PageRequest) -> Result<Headers, ApiError> {
        let parse = |text: &str| text.parse::<Height>().map_err(|_| ApiError::bad_input("a cursor is a height here"));
        let page = page.check(self.page_size(), parse)?;
        let high = page.after.map_or(self.height(), |after| Height(after.0.saturating_sub(1)));
        let low = page.before.map_or(Height(1), Height::next);
        let wanted = page.limit + 1;
        let heights: Vec<u64> = if page.from_back {
            (low.0..=high.0).take(wanted).collect()
        } else {
            (low.0..=high.0).rev().take(wanted).collect()
        };
        let (heights, page_info) = page.cut(heights, |height| Cursor(height.to_string()));
        let mut nodes = Vec::with_capacity(heights.len());
        for height in heights {
            if let Some(sealed) = self.snapshot().header(Height(height))? {
                nodes.push(self.header(&sealed)?);
            }
        }
        Ok(Headers { nodes, page_info })
    }

    /// Items of a page at the most.
    pub(crate) fn page_size(&self) -> usize {
        self.app().config().api.page_size
    }
}

/// The cursor of a transaction in a list: `height.index`.
pub(super) fn cursor(position: &TransactionPosition) -> Cursor {
    Cursor(format!("{}.{}", position.height, position.index))
}

/// Reads the cursor of a transaction.
pub(super) fn position(text: &str) -> Result<TransactionPosition, ApiError> {
    let parsed = text.split_once('.').and_then(|(height, index)| {
        Some(TransactionPosition { height: height.parse().ok()?, index: index.parse().ok()? })
    });
    parsed.ok_or_else(|| ApiError::bad_input(format!("`{text}` is not a cursor of this list")))
}
