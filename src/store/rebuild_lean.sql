create or replace view {live}.tokens as select anew.* from {side}.tokens as anew;
