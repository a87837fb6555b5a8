//! Judges what other validators send, on its way to the log.

use std::convert::Infallible;

use crossbeam_channel::{Receiver, Sender, select};

use super::hand_on;
use crate::{
    exchange::{Arrival, Message},
    verify::Judge,
};

/// Runs until the next stage has ended, which `ended` tells by being disconnected: others may still want to send then.
pub(super) fn run(from: &Receiver<Message>, ended: &Receiver<Infallible>, judge: &Judge, to: &Sender<Arrival>) {
    loop {
        select! {
            recv(from) -> message => {
                let Ok(message) = message else { return };
                if let Some(arrival) = message.judged(judge)
                    && !hand_on(to, arrival)
                {
                    return;
                }
            }
            recv(ended) -> _ => return,
        }
    }
}
