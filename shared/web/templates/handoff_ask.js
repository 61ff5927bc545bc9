"use strict";
// Shown once more as it was: what has become of it is asked anew.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
