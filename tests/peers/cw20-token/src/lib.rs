//! `cw20-base` as a module. Entry points are exported by the crate that is built alone, so they are given here.

use cosmwasm_std::{Binary, Deps, DepsMut, Env, MessageInfo, Response, StdResult, entry_point};
use cw20_base::{
    ContractError, contract,
    msg::{ExecuteMsg, InstantiateMsg, QueryMsg},
};

#[entry_point]
pub fn instantiate(
    deps: DepsMut,
    env: Env,
    info: MessageInfo,
    message: InstantiateMsg,
) -> Result<Response, ContractError> {
    contract::instantiate(deps, env, info, message)
}

#[entry_point]
pub fn execute(deps: DepsMut, env: Env, info: MessageInfo, message: ExecuteMsg) -> Result<Response, ContractError> {
    contract::execute(deps, env, info, message)
}

#[entry_point]
pub fn query(deps: Deps, env: Env, message: QueryMsg) -> StdResult<Binary> {
    contract::query(deps, env, message)
}
