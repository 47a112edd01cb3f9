/** Variable that names the run folder, where no PID namespace holds a program: what a `kill -9` leaves of it is found by this. */
export const RUN_MARK = "KUMIKO_RUN";
