//! Writes what is accepted to the log, gives the driver its turns, and hands finalised blocks to execution.
//!
//! ```text
//! loop   wait for records, results or a deadline
//!        append the records                          (buffered)
//!        the driver's turn: propose, append header   (buffered)
//!        sync once; answer tickets; sign             ◄─ a header is durable before it is heard of
//!        append the certificate, hand the block on
//! ```

use std::convert::Infallible;

use crossbeam_channel::{Receiver, Sender, TryRecvError, never, select};

use super::Common;
use crate::{
    consensus::{ConsensusEngine, ConsensusError, Finalised},
    exchange::Arrival,
    fault::Fault,
    ledger::{Executed, Ledger, Taken},
};

/// The stage.
pub(crate) struct Seal {
    pub(super) driver: Box<dyn ConsensusEngine>,
    pub(super) ledger: Ledger,
}

impl Seal {
    pub(crate) fn new(driver: Box<dyn ConsensusEngine>, ledger: Ledger) -> Self {
        Self { driver, ledger }
    }

    /// Runs until the stage before or behind has ended. What was taken in is durable then, and in a block later.
    /// `ended` is disconnected once the stage before has ended: then there is room for what it left.
    pub(super) fn run(
        mut self,
        records: &Receiver<Vec<Taken>>,
        ended: &Receiver<Infallible>,
        arrivals: Receiver<Arrival>,
        results: &Receiver<Executed>,
        to: &Sender<Finalised>,
        common: &Common,
    ) -> Result<(), Fault> {
        self.take_turns(records, ended, arrivals, results, to, common)?;
        // The newest certificate was not synced: it could be made again, but a node that is told to stop leaves it.
        Ok(self.ledger.close()?)
    }

    fn take_turns(
        &mut self,
        records: &Receiver<Vec<Taken>>,
        ended: &Receiver<Infallible>,
        mut arrivals: Receiver<Arrival>,
        results: &Receiver<Executed>,
        to: &Sender<Finalised>,
        common: &Common,
    ) -> Result<(), Fault> {
        let full = never();
        let silent = never();
        let mut is_asked = true;
        let nothing = never();
        loop {
            if let Some(finalised) = self.turn()?
                && to.send(finalised).is_err()
            {
                return Ok(());
            }
            common.metrics.waiting_records.set(self.ledger.load().records as u64);
            let from = if self.ledger.is_full() { &full } else { records };
            let ended = if self.ledger.is_ending() { &nothing } else { ended };
            let asks = self.driver.asks().filter(|_| is_asked).unwrap_or(&silent);
            select! {
                recv(from) -> batch => match batch {
                    Ok(batch) => self.ledger.take(batch)?,
                    Err(_) => return Ok(()),
                },
                recv(ended) -> _ => self.ledger.end(),
                recv(arrivals) -> arrival => match arrival {
                    Ok(arrival) => self.ledger.arrived(arrival)?,
                    // Nobody else can send any more.
                    Err(_) => arrivals = never(),
                },
                recv(results) -> executed => match executed {
                    Ok(executed) => self.ledger.executed(executed),
                    Err(_) => return Ok(()),
                },
                recv(asks) -> ask => match ask {
                    Ok(ask) => self.driver.hear(ask),
                    // Consensus has ended; what is accepted is still made durable.
                    Err(_) => is_asked = false,
                },
                default(self.ledger.patience(&*self.driver)) => {}
            }
            // What is there already shares the sync.
            while !self.ledger.is_full() {
                match records.try_recv() {
                    Ok(batch) => self.ledger.take(batch)?,
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            for arrival in arrivals.try_iter() {
                self.ledger.arrived(arrival)?;
            }
            // Execution may be idle by now: then a block shares the sync too.
            while let Ok(executed) = results.try_recv() {
                self.ledger.executed(executed);
            }
        }
    }

    /// Lets the driver seal a block, and makes what was taken in durable; neither without room.
    pub(super) fn turn(&mut self) -> Result<Option<Finalised>, Fault> {
        self.ledger.fall_back()?;
        if !self.ledger.has_room()? {
            return Ok(None);
        }
        let finalised = match self.driver.turn(&mut self.ledger) {
            Ok(finalised) => finalised,
            Err(ConsensusError::Log(error)) => {
                self.ledger.bear(Err(error))?;
                None
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(finalised) = &finalised {
            self.ledger.finalised(finalised)?;
        }
        self.ledger.sync_taken()?;
        Ok(finalised)
    }
}
