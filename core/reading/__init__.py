"""Files that anybody may have written: arrays and JSON, their declared sizes checked before anything is made."""
