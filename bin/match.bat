@echo off
setlocal
rem Matches and ratings. Without arguments: the shipped net against Stockfish levels. --help tells more.
call "%~dp0environment.bat" report
if errorlevel 1 exit /b 1
"%TRANSCENDENCE_PYTHON%" -I -m match %*
