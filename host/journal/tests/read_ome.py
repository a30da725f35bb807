"""Reads OME-TIFF files as other programs do: with tifffile, and their XML with ome-types, which
validates it by the schema. Says what it found as JSON, a line a file."""

import json
import sys

import ome_types
import tifffile

for path in sys.argv[1:]:
    with tifffile.TiffFile(path) as file:
        assert file.is_ome and len(file.series) == 1, path
        series = file.series[0]
        xml = file.ome_metadata
        ome_types.validate_xml(xml)
        image = ome_types.from_xml(xml).images[0]
        pixels = image.pixels
        notes = {note.id: note for note in ome_types.from_xml(xml).structured_annotations}
        rois = ome_types.from_xml(xml).rois
        found = {
            "axes": series.axes,
            "shape": series.shape,
            "dtype": str(series.dtype),
            "values": series.asarray().flatten().tolist(),
            "name": image.name,
            "date": image.acquisition_date.isoformat(),
            "size": f"{pixels.physical_size_x} {pixels.physical_size_x_unit.value}",
            "channels": len(pixels.channels),
            "deltas": [plane.delta_t for plane in pixels.planes],
            "notes": [
                {pair.k: pair.value for pair in notes[plane.annotation_refs[0].id].value.ms}
                for plane in pixels.planes
                if plane.annotation_refs
            ],
            "file": {pair.k: pair.value for pair in notes[image.annotation_refs[0].id].value.ms},
            "points": [
                [roi.name, shape.text, shape.x, shape.y, shape.the_t]
                for roi in rois
                for shape in roi.union
            ],
        }
        assert len(rois) == len(image.roi_refs), path
    print(json.dumps(found))
