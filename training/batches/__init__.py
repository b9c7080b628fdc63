"""A token store becomes batches: order, replay to boards, weighting, and the way to the device."""
