"""What turns an answer into scores: one small file for each scorer, all behind `interface.Scorer`."""
