//! Has burn translate the models of the folder `RIVALS_MODELS` into Rust.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-env-changed=RIVALS_MODELS");
    let folder = std::env::var("RIVALS_MODELS").expect("RIVALS_MODELS names the models' folder");
    for model in ["mobilenetv2", "unet", "encoder"] {
        let path = Path::new(&folder).join(format!("{model}.onnx"));
        burn_onnx::ModelGen::new()
            .input(&path.display().to_string())
            .out_dir("model/")
            .run_from_script();
    }
}
