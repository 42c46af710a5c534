// What a process ends with that could not begin (sysexits.h).

/** A setting is wrong or missing, or a port is taken (operator contract, Processes). */
export const EXIT_CONFIG = 78;
