//! The floor: who is inside, which machine is whose, who waits. What holds is worked out by `protocol::rules` on the
//! journal's thread, in the commit of the tap, message or request that changes it; everybody else sees pictures of it.

mod book;
mod clerk;
mod desk;
mod enrolments;
mod handle;
mod line;
mod local;
mod orders;
mod picture;
mod rebuild;
mod request;
mod task;
mod usual;
mod view;

pub use book::Book;
pub use clerk::{Clerk, Hour, audit};
pub use desk::{Desk, action_of};
pub use handle::{Floor, Parts};
pub use local::{Local, LocalCard};
pub use picture::{Painter, Picture, SeenTap};
pub use protocol::ids::UserId as StaffId;
pub use rebuild::Told;
pub use request::{Asker, FloorAnswer, FloorRefusal, FloorRequest, Petition};
pub use view::{FloorView, MachineView, RosterView, SessionView};
