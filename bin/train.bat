@echo off
rem A token store in, a trained checkpoint out. --help tells more.
call "%~dp0environment.bat" train
if errorlevel 1 exit /b 1
"%TRANSCENDENCE_PYTHON%" -P -m training.train %*
