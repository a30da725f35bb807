//! An open adapter: which one is chosen, and what becomes of its errors.
//!
//! wgpu reports most errors through callbacks and panics where none is set; here they all end in
//! [`GpuError`]. Nothing is reopened here: after [`GpuError::Lost`] the caller opens another
//! [`Gpu`] or takes the CPU.

use crate::error::GpuError;
use crate::program::Pipelines;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use wgpu::{AdapterInfo, DeviceType, ErrorFilter, Limits};

/// How an adapter is chosen and used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpuOptions {
    /// A part of the adapter's name, in any case; `None` takes the best, hardware first.
    pub adapter: Option<String>,
    /// The most that one batch may take.
    pub timeout: Duration,
}

impl GpuOptions {
    /// Environment variable with a part of the adapter's name.
    pub const ADAPTER_VARIABLE: &str = "MICROTOME_ADAPTER";

    /// The defaults, with the adapter that [`Self::ADAPTER_VARIABLE`] names, if it is set.
    pub fn from_env() -> Self {
        let adapter = std::env::var(Self::ADAPTER_VARIABLE).ok();
        Self {
            adapter: adapter.filter(|name| !name.is_empty()),
            ..Self::default()
        }
    }
}

impl Default for GpuOptions {
    fn default() -> Self {
        Self {
            adapter: None,
            timeout: Duration::from_secs(30),
        }
    }
}

/// An open adapter. Clones are the same device.
#[derive(Clone, Debug)]
pub struct Gpu {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    info: AdapterInfo,
    timeout: Duration,
    health: Arc<Health>,
    pub(crate) pipelines: Arc<Pipelines>,
}

/// What wgpu's callbacks have told.
#[derive(Debug, Default)]
struct Health {
    lost: Mutex<Option<String>>,
    /// The first error since the last look that no scope has caught.
    error: Mutex<Option<wgpu::Error>>,
}

impl Gpu {
    /// Opens the adapter that `options` choose.
    ///
    /// # Errors
    /// When there is no such adapter, or it is too small, or gives no device.
    pub fn open(options: &GpuOptions) -> Result<Self, GpuError> {
        let adapter = choose(options.adapter.as_deref())?;
        let info = adapter.get_info();
        let required_limits = needed_limits(&adapter, &info)?;
        let no_device = |cause| GpuError::NoDevice {
            adapter: info.name.clone(),
            cause,
        };
        let request = adapter.request_device(&wgpu::DeviceDescriptor {
            label: Some("microtome"),
            required_limits,
            ..Default::default()
        });
        let (device, queue) = ready(request)
            .ok_or_else(|| no_device("the request stays pending".to_owned()))?
            .map_err(|error| no_device(error.to_string()))?;
        let health = Arc::new(Health::default());
        let told = Arc::clone(&health);
        device.set_device_lost_callback(move |reason, message| {
            lock(&told.lost).get_or_insert(format!("{reason:?}: {message}"));
        });
        let told = Arc::clone(&health);
        device.on_uncaptured_error(Arc::new(move |error| {
            lock(&told.error).get_or_insert(error);
        }));
        tracing::info!(adapter = info.name, backend = %info.backend, "GPU adapter opened");
        let pipelines = Arc::new(Pipelines::new(&device));
        let timeout = options.timeout;
        Ok(Self {
            device,
            queue,
            info,
            timeout,
            health,
            pipelines,
        })
    }

    /// Name of the adapter, as its driver gives it.
    pub fn adapter_name(&self) -> &str {
        &self.info.name
    }

    /// Whether the adapter is software: right, but slower than the CPU executor.
    pub fn is_software(&self) -> bool {
        self.info.device_type == DeviceType::Cpu
    }

    /// Why the device is gone, if it is.
    pub fn lost(&self) -> Option<GpuError> {
        let error = self.check().err()?;
        matches!(error, GpuError::Lost { .. }).then_some(error)
    }

    /// Gives the device back at once: every later use of it, by whatever clone or backend, is
    /// [`GpuError::Lost`].
    pub fn destroy(&self) {
        self.device.destroy();
    }

    /// Fails when the device is gone or a call since the last check was refused.
    pub(crate) fn check(&self) -> Result<(), GpuError> {
        // Callbacks, that of a lost device among them, are called by polling alone.
        self.poll(wgpu::PollType::Poll)
    }

    /// Makes resources with `create`; fails when one of them cannot be had.
    pub(crate) fn create<T>(&self, create: impl FnOnce() -> T) -> Result<T, GpuError> {
        self.check()?;
        // Scopes are popped in the reverse order of their pushes.
        let internal = self.device.push_error_scope(ErrorFilter::Internal);
        let memory = self.device.push_error_scope(ErrorFilter::OutOfMemory);
        let validation = self.device.push_error_scope(ErrorFilter::Validation);
        let created = create();
        let errors = [
            ready(validation.pop()),
            ready(memory.pop()),
            ready(internal.pop()),
        ];
        match errors.into_iter().flatten().flatten().next() {
            Some(error) => Err(self.refused(error)),
            None => self.check().map(|()| created),
        }
    }

    /// Waits until `submission` is done and its callbacks have been called.
    pub(crate) fn wait(&self, submission: wgpu::SubmissionIndex) -> Result<(), GpuError> {
        let timeout = Some(self.timeout);
        self.poll(wgpu::PollType::Wait {
            submission_index: Some(submission),
            timeout,
        })
    }

    fn poll(&self, poll: wgpu::PollType) -> Result<(), GpuError> {
        // wgpu panics where it learns while it polls that the device is gone.
        let polled = catch_unwind(AssertUnwindSafe(|| self.device.poll(poll)));
        let adapter = self.info.name.clone();
        if let Some(cause) = lock(&self.health.lost).clone() {
            return Err(GpuError::Lost { adapter, cause });
        }
        if let Some(error) = lock(&self.health.error).take() {
            return Err(self.refused(error));
        }
        match polled {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(wgpu::PollError::Timeout)) => Err(GpuError::Timeout {
                adapter,
                limit: self.timeout,
            }),
            // There is no such submission: only a device that is gone takes none.
            Ok(Err(error)) => Err(GpuError::Lost {
                adapter,
                cause: error.to_string(),
            }),
            Err(_) => Err(GpuError::Lost {
                adapter,
                cause: "its driver fails".to_owned(),
            }),
        }
    }

    /// Fails when a buffer of `need` bytes cannot be bound.
    pub(crate) fn check_fits(&self, what: &'static str, need: u64) -> Result<(), GpuError> {
        let have = self.bytes_max();
        if need > have {
            let adapter = self.info.name.clone();
            return Err(GpuError::TooLarge {
                adapter,
                what,
                need,
                have,
            });
        }
        Ok(())
    }

    /// Bytes of the largest buffer that can be bound and addressed by 32 bits.
    pub(crate) fn bytes_max(&self) -> u64 {
        let limits = self.device.limits();
        limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size)
            .min(1 << 31)
    }

    /// The error where a finished submission left nothing to read.
    pub(crate) fn unreadable(&self, error: &wgpu::MapRangeError) -> GpuError {
        GpuError::Refused {
            adapter: self.info.name.clone(),
            cause: error.to_string(),
        }
    }

    fn refused(&self, error: wgpu::Error) -> GpuError {
        let adapter = self.info.name.clone();
        match error {
            wgpu::Error::OutOfMemory { .. } => GpuError::OutOfMemory { adapter },
            wgpu::Error::Validation { description, .. }
            | wgpu::Error::Internal { description, .. } => GpuError::Refused {
                adapter,
                cause: description,
            },
        }
    }
}

fn choose(wanted: Option<&str>) -> Result<wgpu::Adapter, GpuError> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::PRIMARY;
    let adapters = wgpu::Instance::new(descriptor).enumerate_adapters(wgpu::Backends::PRIMARY);
    let adapters = ready(adapters).unwrap_or_default();
    if adapters.is_empty() {
        return Err(GpuError::NoAdapter);
    }
    let names: Vec<String> = adapters
        .iter()
        .map(|adapter| adapter.get_info().name)
        .collect();
    let is_wanted = |name: &str| {
        wanted.is_none_or(|wanted| name.to_lowercase().contains(&wanted.to_lowercase()))
    };
    adapters
        .into_iter()
        .filter(|adapter| is_wanted(&adapter.get_info().name))
        .min_by_key(|adapter| rank(adapter.get_info().device_type))
        .ok_or_else(|| GpuError::NoSuchAdapter {
            wanted: wanted.unwrap_or_default().to_owned(),
            found: names.join(", "),
        })
}

/// Lower is better.
const fn rank(kind: DeviceType) -> u8 {
    match kind {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

/// The least that every plan needs, with the adapter's own buffer sizes.
fn needed_limits(adapter: &wgpu::Adapter, info: &AdapterInfo) -> Result<Limits, GpuError> {
    let allowed = adapter.limits();
    let limits = Limits {
        max_storage_buffer_binding_size: allowed.max_storage_buffer_binding_size,
        max_buffer_size: allowed.max_buffer_size,
        ..Limits::downlevel_defaults()
    };
    let mut lacking = None;
    limits.check_limits_with_fail_fn(&allowed, true, |limit, need, have| {
        lacking = Some(GpuError::AdapterLimit {
            adapter: info.name.clone(),
            limit,
            need,
            have,
        });
    });
    lacking.map_or(Ok(limits), Err)
}

/// The value of a future that, as wgpu's are outside of browsers, is ready at once.
fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// What the lock holds; a panic elsewhere does not make it worse.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
