//! A machine without flash for updates; what would use it is left out of the image.

pub(crate) use microtome_app::flash::NoFlash as Part;
use microtome_app::flash::UpdateFlash;

/// None.
///
/// # Safety
/// There is nothing to be said for.
pub(crate) unsafe fn open() -> Option<UpdateFlash<Part>> {
    None
}
