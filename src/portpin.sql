/* portpin 1.0: port-out PINs */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION portpin CASCADE" to load this file. \quit
